#pragma once

#include <string>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Compares the type of an expression with the one that `name` has (language,
// section 1.4): E_TYPE, W_TRUNC, W_BOOLARITH. `what` the expression is to the
// name: "definition". REQUIRES: it is valid.
void CheckType(const Expression& expression, ValueType found,
               const std::string& name, ValueType declared,
               const std::string& what, const Source& source,
               Diagnostics& diagnostics);

}  // namespace somafit
