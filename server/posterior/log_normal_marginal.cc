// The logarithm is normal, cut off at bounds where there are any.

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/marginal.h"
#include "server/posterior/truncated_normal.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// (log(x) - log(median)) / sigma, with all digits where x is near the median.
double Standardized(double x, double median, double sigma) {
  if (x <= 0) return -kInf;
  if (x == kInf) return kInf;
  const double off = (x - median) / median;
  return (std::fabs(off) < 0.5 ? Log1p(off) : Log(x) - Log(median)) / sigma;
}

class LogNormalMarginal final : public Marginal {
 public:
  LogNormalMarginal(double median, double sigma, double lower, double upper,
                    const TruncatedNormal& z)
      : median_(median),
        sigma_(sigma),
        log_sigma_(Log(sigma)),
        least_z_(Standardized(lower, median, sigma)),
        greatest_z_(Standardized(upper, median, sigma)),
        support_{std::fmax(lower, 0), upper},
        z_(z) {
    if (lower <= 0 && upper == kInf) {
      const double square = sigma * sigma;
      mean_ = median * Exp(0.5 * square);
      sd_ = mean_ * std::sqrt(Expm1(square));
    } else {
      // Relative to the mean, so that the least scale does not underflow.
      const double ratio =
          z_.Expectation([&](double x) { return Exp(sigma * x); }, sigma);
      mean_ = median * ratio;
      sd_ = mean_ * std::sqrt(z_.Expectation(
                        [&](double x) {
                          const double off = Exp(sigma * x) / ratio - 1;
                          return off * off;
                        },
                        2 * sigma));
    }
  }

  double LogDensity(double x) const override {
    if (std::isnan(x)) return x;
    if (x < support_.lower || x >= support_.upper || x <= 0) return -kInf;
    const double z = Standardized(x, median_, sigma_);
    // The bounds in z are rounded: only those in x decide.
    const double inside = std::fmin(std::fmax(z, least_z_), greatest_z_);
    return z_.LogDensity(inside) + 0.5 * (inside - z) * (inside + z) -
           log_sigma_ - Log(x);
  }
  double Cdf(double x) const override {
    if (x <= support_.lower) return 0;
    if (x >= support_.upper) return 1;
    return z_.Cdf(Standardized(x, median_, sigma_));
  }
  double Quantile(double p) const override {
    double x = median_ * Exp(sigma_ * z_.Quantile(p));
    if (x < support_.lower) x = support_.lower;
    if (x <= 0) x = std::numeric_limits<double>::min();
    if (x >= support_.upper) x = std::nextafter(support_.upper, -kInf);
    return x;
  }
  Support support() const override { return support_; }
  double mean() const override { return mean_; }
  double standard_deviation() const override { return sd_; }

 private:
  const double median_, sigma_, log_sigma_, least_z_, greatest_z_;
  const Support support_;
  const TruncatedNormal z_;
  double mean_, sd_;
};

}  // namespace

extern const MarginalEntry kLogNormalMarginal;
const MarginalEntry kLogNormalMarginal = {
    "log_normal",
    "the logarithm is normal; with bounds, what of it lies between them",
    {{.name = "median",
      .summary = "median before it is cut off, above 0",
      .kind = OptionSpec::Kind::kOutput,
      .required = true},
     {.name = "sigma_log",
      .summary = "standard deviation of the natural logarithm",
      .required = true},
     {.name = "lower",
      .summary = "least value",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = 0},
     {.name = "upper",
      .summary = "greatest value",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = kInf}},
    [](const OptionValues& options,
       std::vector<std::string>& problems) -> std::unique_ptr<Marginal> {
      const double median = options.at("median");
      const double sigma = options.at("sigma_log");
      const double lower = options.at("lower"), upper = options.at("upper");
      if (!(CheckPositive("median", median, problems) &
            CheckPositive("sigma_log", sigma, problems) &
            CheckOrder(lower, upper, problems))) {
        return nullptr;
      }
      const double from = Standardized(lower, median, sigma);
      const double to = Standardized(upper, median, sigma);
      // Moments of wider ones are beyond what numbers hold.
      if (sigma > 6) {
        problems.push_back(
            absl::StrCat("sigma_log is ", ShortestText(sigma),
                         ", but must be at most 6: it is the standard "
                         "deviation of the natural logarithm"));
        return nullptr;
      }
      if (from < to) {
        const TruncatedNormal z(from, to);
        if (z.mass() >= TruncatedNormal::kLeastMass) {
          return std::make_unique<LogNormalMarginal>(median, sigma, lower,
                                                     upper, z);
        }
      }
      problems.push_back(absl::StrCat(
          "no mass of a log-normal distribution with median ",
          ShortestText(median), " and sigma_log ", ShortestText(sigma),
          " lies between ", ShortestText(lower), " and ", ShortestText(upper),
          ": move the median, widen sigma_log, or use \"log_uniform\""));
      return nullptr;
    }};

}  // namespace somafit
