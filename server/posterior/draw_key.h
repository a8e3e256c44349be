#pragma once

#include <cstdint>

namespace somafit {

// Keys the draws of one use of an estimator: draw k is a pure function of the
// key and k, whatever else is drawn with it.
struct DrawKey {
  uint64_t seed = 0;
  uint32_t purpose = 0;  // what they are drawn for, e.g. a round's number
};

// The key of the draws of part `part` of a whole, e.g. of an ensemble's
// member: independent of the whole's and of every other part's.
DrawKey PartOf(DrawKey key, uint32_t part);

}  // namespace somafit
