#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/inference/trained_estimator.h"

namespace somafit {

// Where a test's parameters lie and how wide they are, in SI.
struct TestScale {
  double shift = 0, scale = 1;
};

// `net` over parameters with the given scales, given `n_features` numbers; in
// unconstrained space their bounds are shift -+ 4 scale.
EstimatorSpec TestSpec(std::string_view net,
                       const std::vector<TestScale>& scales,
                       size_t n_features = 2,
                       ThetaSpace space = ThetaSpace::kBounded);

// An estimator that nothing was trained for: its initial weights, with normal
// noise of `spread` on all of them.
std::unique_ptr<TrainedEstimator> RandomEstimator(
    const EstimatorSpec& spec, const std::vector<TestScale>& scales,
    uint64_t seed, double spread = 0.1);

}  // namespace somafit
