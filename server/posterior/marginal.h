#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/posterior/prior.h"
#include "worker/core/objective/option.h"

namespace somafit {

// One parameter's prior in a product of independent ones. Immutable;
// thread-safe. Numbers are SI doubles.
class Marginal {
 public:
  virtual ~Marginal() = default;
  virtual double LogDensity(double x) const = 0;  // -inf outside the support
  virtual double Cdf(double x) const = 0;
  // The inverse of Cdf, 0 < p < 1; always inside the support. Draws are
  // quantiles of uniform numbers, so it uses arithmetic and functions of
  // base/elementary.h only.
  virtual double Quantile(double p) const = 0;
  virtual Support support() const = 0;
  virtual double mean() const = 0;
  virtual double standard_deviation() const = 0;
  // Whether there is no distribution: see Prior.
  virtual bool improper() const { return false; }
};

struct MarginalEntry {
  std::string_view name, summary;
  // kOutput is a number in the parameter's unit.
  std::vector<OptionSpec> options;
  // Adds a sentence to `problems` for each mistake, and then returns nullptr.
  // REQUIRES: every option present.
  std::unique_ptr<Marginal> (*make)(const OptionValues& options,
                                    std::vector<std::string>& problems);
};

// All kinds of marginals, in the order in which they are shown.
const std::vector<const MarginalEntry*>& AllMarginals();
const MarginalEntry* FindMarginal(std::string_view name);  // nullptr: unknown

// What members check alike: each false adds a sentence.
bool CheckFinite(std::string_view name, double value,
                 std::vector<std::string>& problems);
bool CheckPositive(std::string_view name, double value,
                   std::vector<std::string>& problems);
bool CheckOrder(double lower, double upper, std::vector<std::string>& problems);

}  // namespace somafit
