#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include <Eigen/Core>

#include "server/posterior/draw_key.h"
#include "worker/core/base/random.h"
#include "worker/core/objective/option.h"

namespace somafit {

// Where a parameter may lie at all; infinite where it has no bound.
struct Support {
  double lower = 0;
  double upper = 0;
};

// A normal distribution, or with a precision of 0 a constant.
struct NormalForm {
  Eigen::VectorXd mean;
  Eigen::MatrixXd precision;
};

// How likely parameters are before anything was observed. Immutable;
// thread-safe. All numbers are SI doubles: parameters of neurons are 1e-12 as
// often as 1e3, so nothing here may assume numbers near 1.
class Prior {
 public:
  virtual ~Prior() = default;

  virtual size_t size() const = 0;  // parameters
  // The map under which the prior is uniform on the unit cube, parameter i of
  // u a function of parameters 0 to i of theta (M. Rosenblatt (1952), "Remarks
  // on a multivariate transformation", Ann. Math. Stat. 23), and its inverse.
  // Only arithmetic and functions of base/elementary.h: the same bits on every
  // machine. The inverse takes 0 and 1 for the nearest numbers between them,
  // and what it returns lies inside the support.
  virtual void ToUniform(std::span<const double> theta,
                         std::span<double> u) const = 0;
  virtual void FromUniform(std::span<const double> u,
                           std::span<double> theta) const = 0;
  // One draw into `theta` [parameter]: one number of `random` a parameter.
  void Sample(RandomStream& random, std::span<double> theta) const;
  // log p(theta), normalized; -inf outside the support.
  virtual double LogDensity(std::span<const double> theta) const = 0;
  // The support is a box [parameter], half-open above (lower <= x < upper)
  // where bounds are finite and the density does not vanish there.
  virtual const std::vector<Support>& support() const = 0;
  bool Contains(std::span<const double> theta) const {
    return LogDensity(theta) > -std::numeric_limits<double>::infinity();
  }
  // Mean and standard deviation per parameter, analytic: how nets and
  // transforms scale.
  virtual std::vector<double> mean() const = 0;
  virtual std::vector<double> standard_deviation() const = 0;
  // The prior as a normal distribution, or as the constant that it is within
  // its box (precision 0), where it is one of these: what NPE-A divides by.
  virtual std::optional<NormalForm> normal_form() const { return std::nullopt; }
  // Whether a parameter has a density of 1 everywhere in place of a
  // distribution. Nothing is to be drawn then.
  virtual bool improper() const { return false; }
};

// The prior of one parameter, as a person declares it.
struct MarginalSpec {
  std::string parameter;
  std::string kind;      // a name of AllMarginals (marginal.h)
  OptionValues options;  // by name; what has a default may be left out
};

// The product of independent priors, in this order. InvalidArgument names all
// mistakes of all parameters at once: unknown kinds and options, missing ones,
// values that are none, parameters that come twice.
absl::StatusOr<std::unique_ptr<const Prior>> MakePrior(
    std::span<const MarginalSpec> specs);

// The uniform prior of a box. REQUIRES: what MakePrior would check.
std::unique_ptr<const Prior> MakeBoxPrior(std::span<const Support> box);

// N(mean, covariance) over all parameters. InvalidArgument where shapes
// differ, something is not finite, or the covariance is not symmetric or not
// positive definite.
absl::StatusOr<std::unique_ptr<const Prior>> MakeNormalPrior(
    const Eigen::VectorXd& mean, const Eigen::MatrixXd& covariance);

// Draws `first`, first + 1, ... of `key` into `theta` [n x D]: draw k is a
// function of the key and k alone. REQUIRES: first + n <= 2^32.
void SamplePrior(const Prior& prior, DrawKey key, int64_t first,
                 std::span<double> theta);

}  // namespace somafit
