#pragma once

#include <functional>

namespace somafit {

// The standard normal distribution between two bounds, normalized: what
// truncated normal and log-normal priors are made of.
class TruncatedNormal {
 public:
  // REQUIRES: lower < upper; either may be infinite.
  TruncatedNormal(double lower, double upper);

  // What the bounds leave of the whole. Below kLeastMass there is too little
  // to draw from: nothing else may then be called.
  double mass() const { return mass_; }
  static constexpr double kLeastMass = 1e-290;

  double LogDensity(double z) const;  // -inf outside [lower, upper]
  double Cdf(double z) const;
  double Quantile(double p) const;  // 0 <= p <= 1

  // The expectation of a function that grows no faster than exp(growth z), by
  // Gauss-Legendre quadrature: relative error about 1e-13 where the function
  // does not change sign.
  double Expectation(const std::function<double(double)>& function,
                     double growth) const;

 private:
  double lower_, upper_;
  // Both tails of a narrow interval far above 0 are 1 to the last bit: such
  // distributions are computed as their mirror images.
  bool mirrored_;
  double below_, mass_, log_mass_;  // below_: P(z < lower) of the image
};

}  // namespace somafit
