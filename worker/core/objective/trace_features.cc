// Features of a trace: a statistic (trace_statistics.h) of the steps of a
// window.
#include <cstring>
#include <utility>

#include "worker/core/objective/feature.h"
#include "worker/core/objective/trace_statistics.h"

namespace somafit {
namespace {

// Four lanes at a time; those that are lacking in the last four are 0.
template <typename S>
class StatisticAccumulator final : public FeatureAccumulator {
 public:
  StatisticAccumulator(const StepRange& window, size_t n_lanes, const S& none)
      : window_(window), lanes_((n_lanes + kFour - 1) / kFour, none) {}

  void Observe(size_t step, std::span<const double> series) override {
    if (!window_.Has(step)) return;
    const size_t n_whole = series.size() / kFour;
    FourLanes values;
    for (size_t i = 0; i < n_whole; ++i) {
      std::memcpy(&values, &series[i * kFour], sizeof(values));
      lanes_[i].Add(values);
    }
    if (n_whole == lanes_.size()) return;
    values = FourLanes();
    const auto rest = series.subspan(n_whole * kFour);
    std::memcpy(&values, rest.data(), rest.size_bytes());
    lanes_[n_whole].Add(values);
  }

  void Finish(std::span<double> values) const override {
    for (size_t lane = 0; lane < values.size(); ++lane) {
      values[lane] = lanes_[lane / kFour].Value(lane % kFour);
    }
  }

 private:
  const StepRange window_;
  std::vector<S> lanes_;
};

// S: a statistic of FourLanes, before anything was added.
template <typename S>
class StatisticFeature final : public Feature {
 public:
  explicit StatisticFeature(FeatureConfig config, S none = S())
      : config_(std::move(config)), none_(none) {}

  std::unique_ptr<FeatureAccumulator> Start(size_t n_steps,
                                            size_t n_lanes) const override {
    return std::make_unique<StatisticAccumulator<S>>(WindowOf(config_, n_steps),
                                                     n_lanes, none_);
  }

 private:
  const FeatureConfig config_;
  const S none_;
};

class QuantileAccumulator final : public FeatureAccumulator {
 public:
  QuantileAccumulator(const StepRange& window, size_t n_lanes, double q)
      : window_(window), n_lanes_(n_lanes), q_(q) {
    kept_.reserve(window.size() * n_lanes);
  }

  void Observe(size_t step, std::span<const double> series) override {
    if (!window_.Has(step)) return;
    kept_.insert(kept_.end(), series.begin(), series.end());
  }

  void Finish(std::span<double> values) const override {
    std::vector<double> of_lane;
    for (size_t lane = 0; lane < values.size(); ++lane) {
      of_lane.clear();
      for (size_t i = lane; i < kept_.size(); i += n_lanes_) {
        of_lane.push_back(kept_[i]);
      }
      values[lane] = QuantileOf(of_lane, q_);
    }
  }

 private:
  const StepRange window_;
  const size_t n_lanes_;
  const double q_;
  std::vector<double> kept_;  // [step of the window][lane]
};

class QuantileFeature final : public Feature {
 public:
  QuantileFeature(FeatureConfig config, double q)
      : config_(std::move(config)), q_(q) {}

  std::unique_ptr<FeatureAccumulator> Start(size_t n_steps,
                                            size_t n_lanes) const override {
    return std::make_unique<QuantileAccumulator>(WindowOf(config_, n_steps),
                                                 n_lanes, q_);
  }

 private:
  const FeatureConfig config_;
  const double q_;
};

template <template <typename> typename S>
FeatureEntry EntryOf(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .family = MetricFamily::kTrace,
          .dimension = &OutputDimension,
          .options = WindowOptions({}),
          .keeps_steps = false,
          .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
            return std::make_unique<StatisticFeature<S<FourLanes>>>(config);
          }};
}

}  // namespace

extern const FeatureEntry kMaxFeature =
    EntryOf<Largest>("max", "the largest value");
extern const FeatureEntry kMinFeature =
    EntryOf<Smallest>("min", "the smallest value");
extern const FeatureEntry kMeanFeature = EntryOf<Mean>("mean", "the mean");
extern const FeatureEntry kMedianFeature = {
    .name = "median",
    .summary = "the median",
    .family = MetricFamily::kTrace,
    .dimension = &OutputDimension,
    .options = WindowOptions({}),
    .keeps_steps = true,
    .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
      return std::make_unique<QuantileFeature>(config, 0.5);
    }};
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
      Kurtosis<FourLanes> none;
      none.pearson = config.options.at("pearson") != 0;
      return std::make_unique<StatisticFeature<Kurtosis<FourLanes>>>(config,
                                                                     none);
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
      return std::make_unique<QuantileFeature>(config, config.options.at("q"));
    }};
extern const FeatureEntry kRmsFeature =
    EntryOf<RootMeanSquare>("rms", "the root of the mean square");
extern const FeatureEntry kLastFeature =
    EntryOf<Last>("last", "the value in the window's last step");

}  // namespace somafit
