#pragma once

#include <string>
#include <vector>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// The symbols of noise (xi, xi_1, ...) in differential equations, sorted.
// Reports where `xi`, which has no name that says it is shared, stands in
// several of them (E_XI; language, section 1.10).
std::vector<std::string> FindNoises(const EquationBlock& block,
                                    const Source& source,
                                    Diagnostics& diagnostics);

}  // namespace somafit
