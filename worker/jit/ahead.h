#pragma once

#include <optional>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit::jit {

// A program whose steps end with work of the next step that depends on one
// state alone: long chains, as the exponentials of all rates of a
// Hodgkin-Huxley model depend on v. They then run beside the chains that wait
// for their results rather than before them.
struct AheadProgram {
  // Computes the same numbers. Its states are the original's, then one for each
  // of `values`, which carries it to the next step. Some of its values may be
  // there twice, or needed by nothing, which VerifyProgram does not let pass.
  Program program;
  // Of the original program: values[k] is what state n + k holds in a step, n
  // being the original's number of states.
  std::vector<ValueId> values;
};

// nullopt where it would not pay.
std::optional<AheadProgram> ComputeAhead(const Program& program);

}  // namespace somafit::jit
