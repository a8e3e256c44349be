#pragma once

#include "worker/core/base/random.h"

namespace somafit {

// Streams of density estimators, beside those of StreamPurpose, which ends
// below 16.
inline constexpr auto kEstimatorNoise =  // what draws are made from, by DrawKey
    static_cast<StreamPurpose>(16);
inline constexpr auto kEstimatorWeights =  // initial weights, one a tensor
    static_cast<StreamPurpose>(17);
inline constexpr auto kEstimatorRows =  // split and order of training rows
    static_cast<StreamPurpose>(18);
inline constexpr auto kEstimatorAtoms =  // contrasting rows of the atomic loss
    static_cast<StreamPurpose>(19);

}  // namespace somafit
