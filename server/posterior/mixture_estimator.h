#pragma once

#include <memory>

#include "server/posterior/density_estimator.h"

namespace somafit {

// A mixture that holds at one observation only, as an estimator: NPE-A's
// posterior after DivideByProposal. It does not look at x.
// REQUIRES: CheckMixture(mixture).ok()
std::unique_ptr<const DensityEstimator> MakeMixtureEstimator(
    GaussianMixture mixture, size_t n_features);

}  // namespace somafit
