#include "worker/sim/divergence.h"

#include <cmath>

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

int FirstOutOfRange(std::span<const double> states, size_t n_lanes,
                    size_t lane) {
  for (size_t i = lane; i < states.size(); i += n_lanes) {
    if (!InRange(states[i])) return static_cast<int>(i / n_lanes);
  }
  return -1;
}

}  // namespace somafit
