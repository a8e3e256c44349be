// A normal distribution, cut off at bounds where there are any.

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

class NormalMarginal final : public Marginal {
 public:
  NormalMarginal(double mean, double sigma, double lower, double upper,
                 const TruncatedNormal& z)
      : centre_(mean),
        sigma_(sigma),
        log_sigma_(Log(sigma)),
        support_{lower, upper},
        z_(z) {
    if (lower == -kInf && upper == kInf) {
      z_mean_ = 0;
      z_sd_ = 1;
    } else {
      z_mean_ = z_.Expectation([](double x) { return x; }, 0);
      z_sd_ = std::sqrt(z_.Expectation(
          [this](double x) { return (x - z_mean_) * (x - z_mean_); }, 0));
    }
  }

  double LogDensity(double x) const override {
    if (x < support_.lower || x >= support_.upper) return -kInf;
    // The bounds in z are rounded: only those in x decide.
    const double z = (x - centre_) / sigma_;
    if (std::isnan(z)) return z;
    return z_.LogDensity(Inside(z)) + 0.5 * (Inside(z) - z) * (Inside(z) + z) -
           log_sigma_;
  }
  double Cdf(double x) const override {
    if (x <= support_.lower) return 0;
    if (x >= support_.upper) return 1;
    return z_.Cdf((x - centre_) / sigma_);
  }
  double Quantile(double p) const override {
    double x = centre_ + sigma_ * z_.Quantile(p);
    if (x < support_.lower) x = support_.lower;
    if (x >= support_.upper) x = std::nextafter(support_.upper, -kInf);
    return x;
  }
  Support support() const override { return support_; }
  double mean() const override { return centre_ + sigma_ * z_mean_; }
  double standard_deviation() const override { return sigma_ * z_sd_; }

 private:
  double Inside(double z) const {
    return std::fmin(std::fmax(z, (support_.lower - centre_) / sigma_),
                     (support_.upper - centre_) / sigma_);
  }

  const double centre_, sigma_, log_sigma_;
  const Support support_;
  const TruncatedNormal z_;
  double z_mean_, z_sd_;
};

}  // namespace

extern const MarginalEntry kNormalMarginal;
const MarginalEntry kNormalMarginal = {
    "normal",
    "a normal distribution; with bounds, what of it lies between them",
    {{.name = "mean",
      .summary = "mean before it is cut off",
      .kind = OptionSpec::Kind::kOutput,
      .required = true},
     {.name = "sigma",
      .summary = "standard deviation before it is cut off",
      .kind = OptionSpec::Kind::kOutput,
      .required = true},
     {.name = "lower",
      .summary = "least value",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = -kInf},
     {.name = "upper",
      .summary = "greatest value",
      .kind = OptionSpec::Kind::kOutput,
      .default_value = kInf}},
    [](const OptionValues& options,
       std::vector<std::string>& problems) -> std::unique_ptr<Marginal> {
      const double mean = options.at("mean"), sigma = options.at("sigma");
      const double lower = options.at("lower"), upper = options.at("upper");
      if (!(CheckFinite("mean", mean, problems) &
            CheckPositive("sigma", sigma, problems) &
            CheckOrder(lower, upper, problems))) {
        return nullptr;
      }
      const double from = (lower - mean) / sigma, to = (upper - mean) / sigma;
      if (from < to) {
        const TruncatedNormal z(from, to);
        if (z.mass() >= TruncatedNormal::kLeastMass) {
          return std::make_unique<NormalMarginal>(mean, sigma, lower, upper, z);
        }
      }
      problems.push_back(absl::StrCat(
          "no mass of a normal distribution with mean ", ShortestText(mean),
          " and sigma ", ShortestText(sigma), " lies between ",
          ShortestText(lower), " and ", ShortestText(upper),
          ": move the mean, widen sigma, or use \"uniform\""));
      return nullptr;
    }};

}  // namespace somafit
