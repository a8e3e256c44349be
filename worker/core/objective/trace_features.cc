// Errors of one number that is made of the steps of a window:
//
//   e = |f(y) - f(d)|
//
// f: the largest, smallest, mean, median value, the standard deviation (of the
// population), the kurtosis m4 / m2^2 - 3 (0 where nothing changes), or the
// q-quantile, between neighbours by linear interpolation. Steps count or do
// not: weights are only 0 or not.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Features of the values added, in their order. Not a number where one of them
// is not, or where there are none.

struct Largest {
  static constexpr bool kKeepsSteps = false;
  double value = kNaN;
  bool any = false;
  void Add(double x) {
    value = !any || x > value || std::isnan(x) ? x : value;
    any = true;
  }
  double Feature() const { return value; }
};

struct Smallest {
  static constexpr bool kKeepsSteps = false;
  Largest negated;
  void Add(double x) { negated.Add(-x); }
  double Feature() const { return -negated.Feature(); }
};

// T. Terriberry, Computing higher-order moments online, 2007.
struct Moments {
  static constexpr bool kKeepsSteps = false;
  double n = 0, mean = 0, m2 = 0, m3 = 0, m4 = 0;
  void Add(double x) {
    const double before = n;
    n += 1;
    const double delta = x - mean, share = delta / n;
    const double term = delta * share * before;
    mean += share;
    m4 += term * share * share * (n * n - 3 * n + 3) + 6 * share * share * m2 -
          4 * share * m3;
    m3 += term * share * (n - 2) - 3 * share * m2;
    m2 += term;
  }
};

struct Mean : Moments {
  double Feature() const { return n > 0 ? mean : kNaN; }
};

struct StandardDeviation : Moments {
  double Feature() const { return std::sqrt(m2 / n); }
};

struct Kurtosis : Moments {
  double Feature() const {
    return m2 == 0 && n > 0 ? 0 : n * m4 / (m2 * m2) - 3;
  }
};

struct Quantile {
  static constexpr bool kKeepsSteps = true;
  double q = 0.5;
  std::vector<double> values = {};
  void Add(double x) { values.push_back(x); }
  double Feature() const {
    if (values.empty()) return kNaN;
    if (std::any_of(values.begin(), values.end(),
                    [](double x) { return std::isnan(x); })) {
      return kNaN;
    }
    std::vector<double> sorted = values;
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<size_t>(place);
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(low);
    std::nth_element(sorted.begin(), at, sorted.end());
    if (low + 1 == sorted.size()) return *at;
    const double next = *std::min_element(at + 1, sorted.end());
    return std::fma(place - static_cast<double>(low), next - *at, *at);
  }
};

template <typename F>
class FeatureAccumulator final : public MetricAccumulator {
 public:
  FeatureAccumulator(const StepWindow& window, std::span<const double> target,
                     size_t n_lanes, const F& none)
      : window_(window),
        target_(target),
        lanes_(n_lanes, none),
        of_target_(none) {}

  void Observe(size_t step, std::span<const double> simulated) override {
    if (window_.Weight(target_, step) == 0) return;
    of_target_.Add(target_[step]);
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      lanes_[lane].Add(simulated[lane]);
    }
  }

  void Finish(std::span<double> errors) const override {
    const double target = of_target_.Feature();
    for (size_t lane = 0; lane < errors.size(); ++lane) {
      errors[lane] = std::fabs(lanes_[lane].Feature() - target);
    }
  }

 private:
  const StepWindow& window_;
  const std::span<const double> target_;
  std::vector<F> lanes_;
  F of_target_;
};

template <typename F>
class FeatureError final : public WindowedMetric {
 public:
  explicit FeatureError(const MetricConfig& config, F feature = F())
      : WindowedMetric(config), none_(feature) {}

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<FeatureAccumulator<F>>(window(), target, n_lanes,
                                                   none_);
  }

  absl::Status CheckTarget(std::span<const double> target) const override {
    for (size_t step = 0; step < target.size(); ++step) {
      const double weight = window().Weight(target, step);
      if (weight == 0 || weight == 1) continue;
      return absl::InvalidArgumentError(
          "a step counts for this metric or does not; give t_weights of 0 and "
          "1");
    }
    if (!F::kKeepsSteps || target.size() <= kMostKept) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("this metric keeps every step, at most ", kMostKept,
                     " of them; the trace has ", target.size()));
  }

 private:
  static constexpr size_t kMostKept = 1'000'000;
  const F none_;
};

template <typename M>
std::unique_ptr<Metric> Make(const MetricConfig& config) {
  return std::make_unique<M>(config);
}

std::unique_ptr<Metric> MakeQuantile(const MetricConfig& config) {
  return std::make_unique<FeatureError<Quantile>>(
      config, Quantile{config.options.at("q")});
}

std::vector<OptionSpec> Window() {
  return {TimeOfStart(),
          SizeOfDifferences("size that the error is divided by")};
}

}  // namespace

extern const MetricEntry kMax = {"max",
                                 "difference of the largest values",
                                 MetricFamily::kTrace,
                                 &OutputDimension,
                                 Window(),
                                 &Make<FeatureError<Largest>>};
extern const MetricEntry kMin = {"min",
                                 "difference of the smallest values",
                                 MetricFamily::kTrace,
                                 &OutputDimension,
                                 Window(),
                                 &Make<FeatureError<Smallest>>};
extern const MetricEntry kMean = {
    "mean",   "difference of the means", MetricFamily::kTrace, &OutputDimension,
    Window(), &Make<FeatureError<Mean>>};
extern const MetricEntry kMedian = {"median",
                                    "difference of the medians",
                                    MetricFamily::kTrace,
                                    &OutputDimension,
                                    Window(),
                                    &Make<FeatureError<Quantile>>};
extern const MetricEntry kStd = {"std",
                                 "difference of the standard deviations",
                                 MetricFamily::kTrace,
                                 &OutputDimension,
                                 Window(),
                                 &Make<FeatureError<StandardDeviation>>};
extern const MetricEntry kKurtosis = {
    "kurtosis",
    "difference of the kurtoses",
    MetricFamily::kTrace,
    &PlainNumber,
    {TimeOfStart(),
     {.name = "normalization",
      .summary = "number that the error is divided by",
      .default_value = 1,
      .minimum = std::numeric_limits<double>::min()}},
    &Make<FeatureError<Kurtosis>>};
extern const MetricEntry kQuantile = {
    "quantile",
    "difference of the q-quantiles",
    MetricFamily::kTrace,
    &OutputDimension,
    {{.name = "q",
      .summary = "share of the values below",
      .default_value = 0.5,
      .minimum = 0,
      .maximum = 1},
     TimeOfStart(),
     SizeOfDifferences("size that the error is divided by")},
    &MakeQuantile};

}  // namespace somafit
