#include "worker/sim/divergence.h"

#include <cmath>
#include <cstdint>

namespace somafit {
namespace {

// False with NaN.
bool InRange(double state) { return std::fabs(state) <= kStateLimit; }

}  // namespace

bool AreInRange(std::span<const double> states) {
  // Without an early end, and as wide as a state, so that it is compiled to
  // vector instructions.
  uint64_t out = 0;
  for (const double state : states) out |= uint64_t{!InRange(state)};
  return out == 0;
}

int FirstOutOfRange(std::span<const double> states, size_t n_lanes,
                    size_t lane) {
  for (size_t i = lane; i < states.size(); i += n_lanes) {
    if (!InRange(states[i])) return static_cast<int>(i / n_lanes);
  }
  return -1;
}

}  // namespace somafit
