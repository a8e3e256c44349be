#pragma once

#include <vector>

#include "worker/core/ir/program.h"

namespace somafit::jit {

// The order in which the values `needed` of a step are best computed: what the
// longest chain of operations waits for comes first, counting on into the next
// step. A processor looks only some two hundred instructions ahead: chains that
// do not wait for one another must lie side by side. Operands come first.
std::vector<ValueId> EmissionOrder(const Program& program,
                                   const std::vector<bool>& needed);

}  // namespace somafit::jit
