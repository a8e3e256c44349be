#pragma once

#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// A program with an integration, taken apart into programs without one. All
// have the parameters of the whole first, and its inputs, noises and arrays.
struct SolverParts {
  // Observes where the states begin, then what the right-hand side takes from
  // the step.
  Program before;
  // Observe the slopes, and the Jacobian with the slopes by time behind it, as
  // in Integration; no states. The parameters: the integrated states, the time
  // elapsed, then what `before` observes behind the states. `jacobian` observes
  // nothing where the solver needs none.
  Program slopes;
  Program jacobian;
  // All else. Behind the parameters of the whole: per state of the program,
  // what kSolved is.
  Program after;
};

// REQUIRES: program.integration.
SolverParts TakeApart(const Program& program);

}  // namespace somafit
