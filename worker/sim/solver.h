#pragma once

#include <memory>
#include <span>

#include "worker/core/ir/program.h"
#include "worker/sim/right_side.h"

namespace somafit {

// Integrates with steps of its own. Not thread-safe: it holds what it works
// with, but nothing that changes its results.
class Solver {
 public:
  virtual ~Solver() = default;
  // From the start of a time step of `span` [s] to its end, `states` in place.
  // `step` [s] is what to try first, 0 where nothing is known, and then what to
  // try first in the next. False if it gave up: too many tries, or a number
  // that is not finite.
  virtual bool Integrate(RightSide& right_side, double span,
                         std::span<double> states, double& step) = 0;
};

// The solver of a program with one.
std::unique_ptr<Solver> MakeSolver(const Integration& integration);

}  // namespace somafit
