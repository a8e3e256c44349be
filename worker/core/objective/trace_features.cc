// Features of a trace: a statistic (trace_statistics.h) of the steps of a
// window.
#include <utility>

#include "worker/core/objective/feature.h"
#include "worker/core/objective/trace_statistics.h"

namespace somafit {
namespace {

template <typename S>
class StatisticAccumulator final : public FeatureAccumulator {
 public:
  StatisticAccumulator(const StepRange& window, size_t n_lanes, const S& none)
      : window_(window), lanes_(n_lanes, none) {}

  void Observe(size_t step, std::span<const double> series) override {
    if (!window_.Has(step)) return;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      lanes_[lane].Add(series[lane]);
    }
  }

  void Finish(std::span<double> values) const override {
    for (size_t lane = 0; lane < values.size(); ++lane) {
      values[lane] = lanes_[lane].Value();
    }
  }

 private:
  const StepRange window_;
  std::vector<S> lanes_;
};

template <typename S>
class TraceFeature final : public Feature {
 public:
  explicit TraceFeature(FeatureConfig config, S none = S())
      : config_(std::move(config)), none_(std::move(none)) {}

  std::unique_ptr<FeatureAccumulator> Start(size_t n_steps,
                                            size_t n_lanes) const override {
    return std::make_unique<StatisticAccumulator<S>>(WindowOf(config_, n_steps),
                                                     n_lanes, none_);
  }

 private:
  const FeatureConfig config_;
  const S none_;
};

template <typename S>
FeatureEntry EntryOf(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .family = MetricFamily::kTrace,
          .dimension = &OutputDimension,
          .options = WindowOptions({}),
          .keeps_steps = S::kKeepsSteps,
          .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
            return std::make_unique<TraceFeature<S>>(config);
          }};
}

}  // namespace

extern const FeatureEntry kMaxFeature =
    EntryOf<Largest>("max", "the largest value");
extern const FeatureEntry kMinFeature =
    EntryOf<Smallest>("min", "the smallest value");
extern const FeatureEntry kMeanFeature = EntryOf<Mean>("mean", "the mean");
extern const FeatureEntry kMedianFeature =
    EntryOf<Quantile>("median", "the median");
extern const FeatureEntry kStdFeature =
    EntryOf<StandardDeviation>("std", "the standard deviation");
extern const FeatureEntry kKurtosisFeature = {
    .name = "kurtosis",
    .summary =
        "m4 / m2^2 - 3, which is 0 for a normal distribution, and for "
        "what does not change",
    .family = MetricFamily::kTrace,
    .dimension = &PlainNumber,
    .options = WindowOptions({{.name = "pearson",
                               .summary = "without the - 3",
                               .kind = OptionSpec::Kind::kBoolean,
                               .default_value = 0,
                               .minimum = 0,
                               .maximum = 1,
                               .or_number = true}}),
    .keeps_steps = false,
    .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
      Kurtosis none;
      none.pearson = config.options.at("pearson") != 0;
      return std::make_unique<TraceFeature<Kurtosis>>(config, none);
    }};
extern const FeatureEntry kQuantileFeature = {
    .name = "quantile",
    .summary = "the q-quantile",
    .family = MetricFamily::kTrace,
    .dimension = &OutputDimension,
    .options = WindowOptions({{.name = "q",
                               .summary = "share of the values below",
                               .default_value = 0.5,
                               .minimum = 0,
                               .maximum = 1}}),
    .keeps_steps = true,
    .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
      return std::make_unique<TraceFeature<Quantile>>(
          config, Quantile{config.options.at("q")});
    }};
extern const FeatureEntry kRmsFeature =
    EntryOf<RootMeanSquare>("rms", "the root of the mean square");
extern const FeatureEntry kLastFeature =
    EntryOf<Last>("last", "the value in the window's last step");

}  // namespace somafit
