#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/base/random.h"

namespace somafit {

// Where a parameter may lie at all; infinite where it has no bound.
struct Support {
  double lower = 0;
  double upper = 0;
};

// How likely parameters are before anything was observed. Immutable;
// thread-safe. All numbers are SI doubles: parameters of neurons are 1e-12 as
// often as 1e3, so nothing here may assume numbers near 1.
class Prior {
 public:
  virtual ~Prior() = default;

  virtual size_t size() const = 0;  // parameters
  // One draw into `theta` [parameter]. Takes a number of blocks of `random`
  // that depends on nothing but what it rejects, and only arithmetic and
  // functions of base/elementary.h: the same bits on every machine.
  virtual void Sample(RandomStream& random, std::span<double> theta) const = 0;
  // log p(theta), normalized; -inf outside the support.
  virtual double LogDensity(std::span<const double> theta) const = 0;
  // The support is a box [parameter], half-open above (lower <= x < upper) where
  // bounds are finite and the density does not vanish there.
  virtual const std::vector<Support>& support() const = 0;
  bool Contains(std::span<const double> theta) const {
    return LogDensity(theta) > -std::numeric_limits<double>::infinity();
  }
  // Mean and standard deviation per parameter, analytic: how nets and
  // transforms scale.
  virtual std::vector<double> mean() const = 0;
  virtual std::vector<double> standard_deviation() const = 0;
};

}  // namespace somafit
