#pragma once

#include <cstddef>
#include <span>

namespace somafit {

// A simulation has diverged when one of its states is not a number or larger
// than kStateLimit (in SI units) at a multiple of kCheckInterval steps or at
// the end. The lane is frozen then: what it gives from the first such step on
// is not a number.
inline constexpr double kStateLimit = 1e50;
inline constexpr size_t kCheckInterval = 128;

struct Divergence {
  size_t step = 0;  // the first at whose start a state is out of range
  size_t state = 0;
};

// Whether all states of all lanes are in range.
bool AreInRange(std::span<const double> states);
// The first state of lane `lane` of `states[state][lane]` that is out of range;
// -1: none is.
int FirstOutOfRange(std::span<const double> states, size_t n_lanes,
                    size_t lane);

}  // namespace somafit
