#pragma once

#include <optional>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit::jit {

// A program whose steps begin, for one state, with the work of the next step:
// long chains that depend on that state alone, as all rates of a
// Hodgkin-Huxley model do on v, then run beside the chains that wait for their
// results rather than before them.
struct AheadProgram {
  // Computes the same. Its states are the original's, then one for each of
  // `values`; some of its own values may be there twice, or needed by nothing.
  Program program;
  // Of the original program: what a state of this one is in the first step.
  std::vector<ValueId> values;
};

// nullopt where it would not pay.
std::optional<AheadProgram> ComputeAhead(const Program& program);

}  // namespace somafit::jit
