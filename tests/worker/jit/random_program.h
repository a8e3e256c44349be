#pragma once

#include <cstdint>

#include "worker/core/ir/program.h"

namespace somafit {

// A verified program of random operations on everything that there is: two
// parameters, three states, two inputs, two outputs.
Program RandomProgram(uint32_t seed);

}  // namespace somafit
