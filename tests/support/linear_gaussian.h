#pragma once

#include <memory>

#include "server/posterior/density_estimator.h"
#include "server/posterior/mixture_estimator.h"
#include "worker/core/base/check.h"

namespace somafit {

// An estimator by formula: N(theta; x, diag(sigma^2)), which knows no bounds.
class LinearGaussianEstimator final : public DensityEstimator {
 public:
  explicit LinearGaussianEstimator(std::vector<double> sigma)
      : sigma_(std::move(sigma)) {}

  size_t n_parameters() const override { return sigma_.size(); }
  size_t n_features() const override { return sigma_.size(); }
  void LogDensity(std::span<const double> theta, std::span<const double> x,
                  std::span<double> log_density) const override {
    At(x)->LogDensity(theta, x, log_density);
  }
  void LogDensityOfPairs(std::span<const double> theta,
                         std::span<const double> x,
                         std::span<double> log_density) const override {
    const size_t d = sigma_.size();
    for (size_t i = 0; i < log_density.size(); ++i) {
      LogDensity(theta.subspan(i * d, d), x.subspan(i * d, d),
                 log_density.subspan(i, 1));
    }
  }
  void LogDensityGradient(std::span<const double> theta,
                          std::span<const double> x,
                          std::span<double> log_density,
                          std::span<double> gradient) const override {
    At(x)->LogDensityGradient(theta, x, log_density, gradient);
  }
  void Sample(std::span<const double> x, DrawKey key, int64_t first,
              std::span<double> theta,
              std::span<double> log_density) const override {
    At(x)->Sample(x, key, first, theta, log_density);
  }
  std::optional<GaussianMixture> MixtureAt(
      std::span<const double> x) const override {
    GaussianMixture mixture{{0}, {}, {}};
    const auto d = static_cast<Eigen::Index>(sigma_.size());
    Eigen::VectorXd mean(d);
    Eigen::MatrixXd precision = Eigen::MatrixXd::Zero(d, d);
    for (Eigen::Index i = 0; i < d; ++i) {
      mean[i] = x[i];
      precision(i, i) = 1 / (sigma_[i] * sigma_[i]);
    }
    mixture.means.push_back(mean);
    mixture.precisions.push_back(precision);
    return mixture;
  }

 private:
  std::unique_ptr<const DensityEstimator> At(std::span<const double> x) const {
    return MakeMixtureEstimator(*MixtureAt(x), sigma_.size());
  }

  const std::vector<double> sigma_;
};

}  // namespace somafit
