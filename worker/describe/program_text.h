#pragma once

#include <string>

#include "worker/core/ir/program.h"

namespace somafit {

// How many values a program has, and of which operations, by how often they
// are computed: lines of a table, each a comment of the program's text.
//   #            once  per lane  per step
//   # values       12         5        70
//   # exp           0         0         6
std::string ProgramCounts(const Program& program);

}  // namespace somafit
