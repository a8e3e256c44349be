#include "tests/server/inference/random_estimator.h"

#include <gtest/gtest.h>

#include "server/inference/estimator_parts.h"

namespace somafit {

EstimatorSpec TestSpec(std::string_view net,
                       const std::vector<TestScale>& scales, size_t n_features,
                       ThetaSpace space) {
  EstimatorSpec spec = DefaultEstimatorSpec(net);
  spec.theta_space = space;
  for (const auto& [shift, scale] : scales) {
    spec.support.push_back({shift - 4 * scale, shift + 4 * scale});
  }
  spec.x_shape = {static_cast<int64_t>(n_features)};
  return spec;
}

std::unique_ptr<TrainedEstimator> RandomEstimator(
    const EstimatorSpec& spec, const std::vector<TestScale>& scales,
    uint64_t seed, double spread) {
  auto model = MakeModel(spec, at::kCPU);
  EXPECT_TRUE(model.ok()) << model.status();
  std::vector<double> shift, scale;
  for (const TestScale& own : scales) {
    const bool bounded = spec.theta_space == ThetaSpace::kBounded;
    shift.push_back(bounded ? own.shift : 0.1);
    scale.push_back(bounded ? own.scale : 0.8);
  }
  (*model)->theta_map = ThetaMap(spec.theta_space, spec.support, shift, scale);
  (*model)->data_map = {std::vector<double>(spec.n_features(), 0.0),
                        std::vector<double>(spec.n_features(), 1.0)};
  at::Tensor flat = (*model)->InitialWeights(seed);
  RandomStream random(seed, StreamPurpose::kExample, 0, 0);
  for (int64_t i = 0; i < flat.numel(); ++i) {
    flat.data_ptr<float>()[i] += static_cast<float>(spread * random.Normal());
  }
  if (const at::Tensor existing = (*model)->layout.Existing();
      existing.defined()) {
    flat.mul_(existing);
  }
  return MakeTrainedEstimator(*std::move(model), flat);
}

}  // namespace somafit
