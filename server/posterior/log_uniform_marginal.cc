// The logarithm is uniform: for scales, such as conductances, that are known
// to some powers of ten.

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/posterior/marginal.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

class LogUniformMarginal final : public Marginal {
 public:
  LogUniformMarginal(double lower, double upper)
      : lower_(lower),
        upper_(upper),
        // The quotient's logarithm has few digits where it is near 1.
        range_(upper < 2 * lower ? Log1p((upper - lower) / lower)
                                 : Log(upper) - Log(lower)),
        log_range_(Log(range_)),
        greatest_(std::nextafter(upper, lower)) {}

  double LogDensity(double x) const override {
    if (std::isnan(x)) return x;
    if (x < lower_ || x >= upper_) {
      return -std::numeric_limits<double>::infinity();
    }
    return -Log(x) - log_range_;
  }
  double Cdf(double x) const override {
    if (x <= lower_) return 0;
    if (x >= upper_) return 1;
    return std::min(1.0, (x < 2 * lower_ ? Log1p((x - lower_) / lower_)
                                         : Log(x) - Log(lower_)) /
                             range_);
  }
  double Quantile(double p) const override {
    return std::clamp(lower_ * Exp(p * range_), lower_, greatest_);
  }
  Support support() const override { return {lower_, upper_}; }
  // x = g e^t with t uniform in -h..h.
  double mean() const override {
    const double h = 0.5 * range_;
    return Middle() * (h < 1e-5 ? 1 + h * h / 6 : Sinh(h) / h);
  }
  double standard_deviation() const override {
    const double h = 0.5 * range_, square = h * h;
    // sinh(2h)/2h - (sinh(h)/h)^2, and the start of its series.
    const double ratio = Sinh(h) / h;
    return Middle() *
           (h < 0.03
                ? h * std::sqrt(1.0 / 3 + square * (4.0 / 45 + square / 105))
                : std::sqrt(Sinh(2 * h) / (2 * h) - ratio * ratio));
  }

 private:
  double Middle() const { return std::sqrt(lower_) * std::sqrt(upper_); }

  const double lower_, upper_, range_, log_range_, greatest_;
};

}  // namespace

extern const MarginalEntry kLogUniformMarginal;
const MarginalEntry kLogUniformMarginal = {
    "log_uniform",
    "the logarithm is uniform from lower to upper, both above 0",
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
      if (!(CheckPositive("lower", lower, problems) &
            CheckPositive("upper", upper, problems))) {
        return nullptr;
      }
      if (!CheckOrder(lower, upper, problems)) return nullptr;
      return std::make_unique<LogUniformMarginal>(lower, upper);
    }};

}  // namespace somafit
