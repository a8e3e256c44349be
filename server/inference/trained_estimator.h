#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "server/inference/estimator_spec.h"
#include "server/posterior/density_estimator.h"

namespace somafit {

struct EstimatorParts;  // estimator_parts.h; names LibTorch

// A net with weights and scales. The context of an x is computed once per call,
// and kept for the next call with the same x.
//
// The bits of a draw depend on its number alone; those of a row's density on
// its parameters and its place among the rows, not on the other rows. (A BLAS
// rounds rows at different places differently.)
//
// A row has a density of -inf where it is outside of what the space of theta
// covers, and NaN where the net has no number for it (an x that is not finite,
// a TorchScript module that fails).
class TrainedEstimator final : public DensityEstimator {
 public:
  explicit TrainedEstimator(std::unique_ptr<const EstimatorParts> parts);
  ~TrainedEstimator() override;

  size_t n_parameters() const override;
  size_t n_features() const override;
  void LogDensity(std::span<const double> theta, std::span<const double> x,
                  std::span<double> log_density) const override;
  void LogDensityOfPairs(std::span<const double> theta,
                         std::span<const double> x,
                         std::span<double> log_density) const override;
  void LogDensityGradient(std::span<const double> theta,
                          std::span<const double> x,
                          std::span<double> log_density,
                          std::span<double> gradient) const override;
  // REQUIRES: 0 <= first, first + n <= 2^48.
  void Sample(std::span<const double> x, DrawKey key, int64_t first,
              std::span<double> theta,
              std::span<double> log_density) const override;
  // Of an mdn over theta's own space.
  std::optional<GaussianMixture> MixtureAt(
      std::span<const double> x) const override;

  const EstimatorSpec& spec() const;
  const EstimatorParts& parts() const { return *parts_; }

 private:
  std::unique_ptr<const EstimatorParts> parts_;
};

// An mdn of one component as one of `n_components` that are copies of it, with
// normal noise of standard deviation 5e-3 on their weights so that they can
// part (Papamakarios and Murray 2016: what the last round of NPE-A starts
// from). InvalidArgument for anything but an mdn of one component.
absl::StatusOr<std::unique_ptr<TrainedEstimator>> ReplicateMixture(
    const TrainedEstimator& one, int64_t n_components, uint64_t seed);

// The same estimator, computing elsewhere; see ResolveDevice.
absl::StatusOr<std::unique_ptr<TrainedEstimator>> MoveTo(
    const TrainedEstimator& estimator, std::string_view device);

}  // namespace somafit
