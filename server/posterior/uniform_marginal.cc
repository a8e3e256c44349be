// The same density everywhere between two bounds: the box of a fit.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/marginal.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

class UniformMarginal final : public Marginal {
 public:
  UniformMarginal(double lower, double upper)
      : lower_(lower),
        upper_(upper),
        log_density_(-Log(upper - lower)),
        greatest_(std::nextafter(upper, lower)) {}

  double LogDensity(double x) const override {
    if (std::isnan(x)) return x;
    return x >= lower_ && x < upper_ ? log_density_
                                     : -std::numeric_limits<double>::infinity();
  }
  double Cdf(double x) const override {
    return std::clamp((x - lower_) / (upper_ - lower_), 0.0, 1.0);
  }
  double Quantile(double p) const override {
    return std::clamp(lower_ + p * (upper_ - lower_), lower_, greatest_);
  }
  Support support() const override { return {lower_, upper_}; }
  double mean() const override { return lower_ + 0.5 * (upper_ - lower_); }
  double standard_deviation() const override {
    constexpr double kRootTwelve = 3.4641016151377545871;
    return (upper_ - lower_) / kRootTwelve;
  }

 private:
  const double lower_, upper_, log_density_, greatest_;
};

}  // namespace

extern const MarginalEntry kUniformMarginal;
const MarginalEntry kUniformMarginal = {
    "uniform",
    "the same density everywhere from lower to upper",
    {{.name = "lower",
      .summary = "least value, included",
      .kind = OptionSpec::Kind::kOutput,
      .required = true},
     {.name = "upper",
      .summary = "greatest value, not included",
      .kind = OptionSpec::Kind::kOutput,
      .required = true}},
    [](const OptionValues& options,
       std::vector<std::string>& problems) -> std::unique_ptr<Marginal> {
      const double lower = options.at("lower"), upper = options.at("upper");
      // Not &&: all mistakes at once.
      if (!(CheckFinite("lower", lower, problems) &
            CheckFinite("upper", upper, problems))) {
        return nullptr;
      }
      if (!CheckOrder(lower, upper, problems)) return nullptr;
      if (!std::isfinite(upper - lower)) {
        problems.push_back(absl::StrCat(
            "the range from ", ShortestText(lower), " to ", ShortestText(upper),
            " is wider than numbers go: bring the bounds closer"));
        return nullptr;
      }
      return std::make_unique<UniformMarginal>(lower, upper);
    }};

}  // namespace somafit
