#pragma once

#include <optional>
#include <vector>

#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/model.h"

namespace somafit {

// One step of exponential Euler: each derivative is split into A x + B, by
// expanding it into a sum of terms with powers of the bare state x; A and B are
// held over the step, and the step is exact for them:
//
//   x' = x + h (A x + B) exprel(A h)
//
// An x inside a function or in a sum below a fraction bar counts as part of A
// and B, with a warning (W_FROZEN_NONLINEAR). Any power of x but 0 and 1 is
// E_METHOD, and so is x inside functions only: the method would not be exact
// for the linear part.
//
// `states` (at the start of the step; each a state or updated), `derivatives`
// and the result have one value a state. nullopt after errors,
// which are reported at the definitions.
std::optional<std::vector<ValueId>> StepExponentialEuler(
    const Model& model, const std::vector<ValueId>& states,
    const std::vector<ValueId>& derivatives, ProgramBuilder& builder,
    Diagnostics& diagnostics);

}  // namespace somafit
