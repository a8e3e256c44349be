#include "server/posterior/mixture_estimator.h"

#include "worker/core/base/check.h"

namespace somafit {
namespace {

class MixtureEstimator final : public DensityEstimator {
 public:
  MixtureEstimator(GaussianMixture mixture, size_t n_features)
      : density_(std::move(mixture)), n_features_(n_features) {
    SOMAFIT_CHECK(CheckMixture(density_.mixture()).ok());
  }

  size_t n_parameters() const override { return density_.size(); }
  size_t n_features() const override { return n_features_; }
  void LogDensity(std::span<const double> theta, std::span<const double>,
                  std::span<double> log_density) const override {
    density_.LogDensity(theta, log_density);
  }
  void LogDensityOfPairs(std::span<const double> theta, std::span<const double>,
                         std::span<double> log_density) const override {
    density_.LogDensity(theta, log_density);
  }
  void LogDensityGradient(std::span<const double> theta,
                          std::span<const double>,
                          std::span<double> log_density,
                          std::span<double> gradient) const override {
    density_.LogDensity(theta, log_density, gradient);
  }
  void Sample(std::span<const double>, DrawKey key, int64_t first,
              std::span<double> theta,
              std::span<double> log_density) const override {
    density_.Sample(key, first, theta);
    density_.LogDensity(theta, log_density);
  }
  std::optional<GaussianMixture> MixtureAt(
      std::span<const double>) const override {
    return density_.mixture();
  }

 private:
  const MixtureDensity density_;
  const size_t n_features_;
};

}  // namespace

std::unique_ptr<const DensityEstimator> MakeMixtureEstimator(
    GaussianMixture mixture, size_t n_features) {
  return std::make_unique<const MixtureEstimator>(std::move(mixture),
                                                  n_features);
}

}  // namespace somafit
