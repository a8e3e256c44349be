#pragma once

namespace somafit {

// The right-hand side of one lane within one time step. `elapsed` is the time
// since the step's start [s].
class RightSide {
 public:
  virtual ~RightSide() = default;
  // The derivative of each state by time, [1/s].
  virtual void Slopes(const double* states, double elapsed, double* slopes) = 0;
  // `by_state[i * n + j]`: of slope i by state j; `by_time[i]`: by time.
  virtual void Jacobian(const double* states, double elapsed, double* by_state,
                        double* by_time) = 0;
};

}  // namespace somafit
