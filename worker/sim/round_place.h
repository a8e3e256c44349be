#pragma once

#include <cstdint>

namespace somafit {

// What simulations depend on beside parameters and data: where in a fit their
// points stand.
struct RoundPlace {
  uint64_t seed = 0;  // of what is drawn while simulating
  // Of the first point; the others follow. It keys what is drawn.
  int64_t first_sample = 0;
  int64_t iteration = 0;       // the round's number
  int64_t first_in_round = 0;  // the first point's number within its round
  int64_t n_in_round = 0;      // points of the round; 0: as many as there are
};

}  // namespace somafit
