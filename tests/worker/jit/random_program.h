#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// A verified program of random operations on everything that there is: two
// parameters, three states, two inputs, two outputs.
Program RandomProgram(uint32_t seed);

// What a random program may use beside.
struct ProgramExtras {
  std::vector<double> constants;
  std::vector<NoiseKind> noises;
  std::vector<std::shared_ptr<const std::vector<double>>> arrays;
};
// Chooses one of 0..n-1. REQUIRES: n > 0.
using Choice = std::function<uint64_t(uint64_t n)>;
// The same, chosen by the caller.
Program RandomProgram(const Choice& below, const ProgramExtras& extras);

}  // namespace somafit
