// Errors of one number that is made of the steps of a window:
//
//   e = |f(y) - f(d)|
//
// f: the largest, smallest, mean, median value, the standard deviation, the
// kurtosis or a quantile, as trace_statistics.h has them. Steps count or do
// not: weights are only 0 or not.
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"

#include "worker/core/objective/step_window.h"
#include "worker/core/objective/trace_statistics.h"

namespace somafit {
namespace {

struct Quantile {
  double q = 0.5;
  std::vector<double> values = {};
  void Add(double x) { values.push_back(x); }
  double Value() const {
    std::vector<double> sorted = values;
    return QuantileOf(sorted, q);
  }
};

template <typename F>
class FeatureErrors final : public MetricAccumulator {
 public:
  FeatureErrors(const StepWindow& window, std::span<const double> target,
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
    const double target = of_target_.Value();
    for (size_t lane = 0; lane < errors.size(); ++lane) {
      errors[lane] = std::fabs(lanes_[lane].Value() - target);
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
    return std::make_unique<FeatureErrors<F>>(window(), target, n_lanes, none_);
  }

  absl::Status CheckTarget(std::span<const double> target) const override {
    for (size_t step = 0; step < target.size(); ++step) {
      const double weight = window().Weight(target, step);
      if (weight == 0 || weight == 1) continue;
      return absl::InvalidArgumentError(
          "a step counts for this metric or does not; give t_weights of 0 and "
          "1");
    }
    if (!std::is_same_v<F, Quantile> || target.size() <= kMostKept)
      return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("this metric keeps every step, at most ", kMostKept,
                     " of them; the trace has ", target.size()));
  }

 private:
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
                                 &Make<FeatureError<Largest<double>>>};
extern const MetricEntry kMin = {"min",
                                 "difference of the smallest values",
                                 MetricFamily::kTrace,
                                 &OutputDimension,
                                 Window(),
                                 &Make<FeatureError<Smallest<double>>>};
extern const MetricEntry kMean = {"mean",
                                  "difference of the means",
                                  MetricFamily::kTrace,
                                  &OutputDimension,
                                  Window(),
                                  &Make<FeatureError<Mean<double>>>};
extern const MetricEntry kMedian = {"median",
                                    "difference of the medians",
                                    MetricFamily::kTrace,
                                    &OutputDimension,
                                    Window(),
                                    &Make<FeatureError<Quantile>>};
extern const MetricEntry kStd = {
    "std",
    "difference of the standard deviations",
    MetricFamily::kTrace,
    &OutputDimension,
    Window(),
    &Make<FeatureError<StandardDeviation<double>>>};
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
    &Make<FeatureError<Kurtosis<double>>>};
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
