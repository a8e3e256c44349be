#pragma once

#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// Warns (W_SHADOW) of constants that have no effect because something of the
// same name wins (language, section 6.2), and of variables that hide a unit.
// Of `model`, the equations, constants and inputs must be there.
void WarnOfShadows(const Model& model, const std::vector<NamedText>& constants,
                   const EquationBlock& block, Diagnostics& diagnostics);

}  // namespace somafit
