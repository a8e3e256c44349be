#pragma once

#include <span>
#include <vector>

#include "server/posterior/prior.h"

namespace somafit {

// The one-to-one map between the support of a prior and all of R^D, parameter
// by parameter, with u near 1 in size wherever the prior has its mass:
//
//   lower < x < upper   u = log((x - lower) / (upper - x))
//   lower < x           u = log((x - lower) / sd)
//   x < upper           u = -log((upper - x) / sd)
//   unbounded           u = (x - mean) / sd
//
// with the prior's mean and standard deviation. Immutable; thread-safe.
class UnconstrainedMap {
 public:
  explicit UnconstrainedMap(const Prior& prior);

  size_t size() const { return axes_.size(); }
  // theta -> u, always finite: what lies on a bound, as far as doubles tell,
  // is moved inside by one unit in the last place.
  // REQUIRES: theta lies in the closed support.
  void ToUnconstrained(std::span<const double> theta,
                       std::span<double> u) const;
  // u -> theta, always inside the open support.
  void FromUnconstrained(std::span<const double> u,
                         std::span<double> theta) const;
  // log |d theta / d u|; -inf, never NaN, where u is so large that it
  // underflows.
  double LogJacobian(std::span<const double> u) const;
  // d theta_i / d u_i of each parameter.
  void Derivative(std::span<const double> u, std::span<double> result) const;

 private:
  struct Axis {
    enum class Kind { kInterval, kAbove, kBelow, kUnbounded } kind;
    double lower, upper;     // the bounds
    double least, greatest;  // the first and last number between them
    double mean, scale;      // kInterval: the width
  };
  static double LogSlope(const Axis& axis, double u);

  std::vector<Axis> axes_;
};

}  // namespace somafit
