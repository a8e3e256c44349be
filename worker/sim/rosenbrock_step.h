#pragma once

#include <cstddef>
#include <memory>

#include "worker/sim/right_side.h"

namespace somafit {

// Boost.Odeint's Rosenbrock method of order 4, in a file of its own: the linear
// algebra that it is written with is no C++20.
class RosenbrockStep {
 public:
  // The error of a step grows with its power of this number + 1.
  static constexpr int kErrorOrder = 3;

  explicit RosenbrockStep(size_t n_states);
  ~RosenbrockStep();

  // From `states` at `elapsed` to `after`, `step` later [s], with an estimate
  // of the errors in these. Where a matrix is singular they are no numbers.
  // Derivatives that are not finite count as 0.
  void Take(RightSide& right_side, const double* states, double elapsed,
            double step, double* after, double* errors);

 private:
  struct Work;
  const size_t n_states_;
  const std::unique_ptr<Work> work_;
};

}  // namespace somafit
