#include "worker/sim/divergence.h"

#include <cmath>
#include <vector>

namespace somafit {
namespace {

// False with NaN.
bool InRange(double state) { return std::fabs(state) <= kStateLimit; }

}  // namespace

bool AreInRange(std::span<const double> states) {
  bool all = true;
  // Without an early end, so that it is compiled to vector instructions.
  for (const double state : states) all &= InRange(state);
  return all;
}

bool IsOutOfRange(std::span<const double> states, size_t n_lanes, size_t lane) {
  for (size_t i = lane; i < states.size(); i += n_lanes) {
    if (!InRange(states[i])) return true;
  }
  return false;
}

Divergence FindDivergence(const Program& program, const TraceView& trace,
                          std::span<const double> parameters,
                          std::span<const double> states, size_t begin,
                          size_t end) {
  Interpreter interpreter(program, 1, parameters);
  interpreter.set_states(states);
  for (size_t step = begin; step <= end; ++step) {
    const std::vector<double> now = interpreter.states();
    for (size_t i = 0; i < now.size() - program.n_variables; ++i) {
      if (!InRange(now[i])) return {step, i};
    }
    if (step < end) {
      interpreter.Run(trace, step, step + 1, [](size_t, auto) {});
    }
  }
  return {end, 0};  // not reached: all kernels agree to the bit
}

}  // namespace somafit
