// No prior: of what simulations were drawn for, nobody knows more.

#include <cmath>
#include <limits>

#include "server/posterior/marginal.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The density is 1 everywhere. It has no distribution to draw from; Cdf and
// Quantile are a map of the line to (0, 1) and back.
class ImproperMarginal final : public Marginal {
 public:
  explicit ImproperMarginal(double scale) : scale_(scale) {}

  double LogDensity(double x) const override {
    return std::isfinite(x) ? 0 : std::isnan(x) ? x : -kInf;
  }
  double Cdf(double x) const override {
    if (std::isinf(x)) return x > 0 ? 1 : 0;
    return 0.5 + 0.5 * (x / (scale_ + std::fabs(x)));
  }
  double Quantile(double p) const override {
    const double y = 2 * p - 1;
    return scale_ * y / (1 - std::fabs(y));
  }
  Support support() const override { return {-kInf, kInf}; }
  double mean() const override { return 0; }
  double standard_deviation() const override { return scale_; }
  bool improper() const override { return true; }

 private:
  const double scale_;
};

}  // namespace

extern const MarginalEntry kImproperMarginal;
const MarginalEntry kImproperMarginal = {
    "improper",
    "none: every value is as likely; for one round of simulations of one's own",
    {{.name = "scale",
      .summary = "how far values spread, for the search of the maximum",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = 1}},
    [](const OptionValues& options,
       std::vector<std::string>& problems) -> std::unique_ptr<Marginal> {
      const double scale = options.at("scale");
      if (!CheckPositive("scale", scale, problems)) return nullptr;
      return std::make_unique<ImproperMarginal>(scale);
    }};

}  // namespace somafit
