#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"

#include "server/posterior/draw_key.h"
#include "server/posterior/gaussian_mixture.h"

namespace somafit {

// A conditional density q(theta | x) over D parameters [SI] given an
// observation of E numbers: a trained net, or a formula in tests. It knows
// nothing of priors: part of its mass may lie where a prior has none.
// Immutable; thread-safe.
//
// Matrices are row-major. Rows go through in blocks of a fixed size, padded
// where there are fewer, so that a row's bits do not depend on its neighbours.
class DensityEstimator {
 public:
  virtual ~DensityEstimator() = default;
  virtual size_t n_parameters() const = 0;  // D
  virtual size_t n_features() const = 0;    // E

  // log q(theta_i | x) of each row of `theta` [n x D], under one x [E].
  virtual void LogDensity(std::span<const double> theta,
                          std::span<const double> x,
                          std::span<double> log_density) const = 0;
  // log q(theta_i | x_i): a row of `x` [n x E] for each of `theta`.
  virtual void LogDensityOfPairs(std::span<const double> theta,
                                 std::span<const double> x,
                                 std::span<double> log_density) const = 0;
  // Also d log q / d theta, [n x D].
  virtual void LogDensityGradient(std::span<const double> theta,
                                  std::span<const double> x,
                                  std::span<double> log_density,
                                  std::span<double> gradient) const = 0;
  // Draws `first`, first + 1, ... into `theta` [n x D], with their log q.
  virtual void Sample(std::span<const double> x, DrawKey key, int64_t first,
                      std::span<double> theta,
                      std::span<double> log_density) const = 0;
  // The density at x as a mixture of normal distributions over theta [SI], of
  // estimators that are one (mdn).
  virtual std::optional<GaussianMixture> MixtureAt(
      std::span<const double> /*x*/) const {
    return std::nullopt;
  }
};

}  // namespace somafit
