#pragma once

#include <cstddef>
#include <vector>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// The indices of the block's subexpressions, each after those that it uses,
// else in the order of the text. Reports every cycle found (E_CYCLE).
std::vector<size_t> OrderByUse(const EquationBlock& block, const Source& source,
                               Diagnostics& diagnostics);

}  // namespace somafit
