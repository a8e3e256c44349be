// Features of a spike train, of the spikes in a window. Those that need more
// spikes than there are have the value of the option `empty`.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "worker/core/objective/feature.h"
#include "worker/core/objective/train_statistics.h"

namespace somafit {
namespace {

// A member has `Add(step)` for each spike, and `Value`.
struct Ends {
  static constexpr bool kKeepsSteps = false;
  TrainEnds train;
  void Add(int32_t step) { train.Add(step); }
};

struct Count : Ends {
  std::optional<double> Value(const StepRange&, double /*dt*/) const {
    return static_cast<double>(train.n_spikes);
  }
};

struct Rate : Ends {
  std::optional<double> Value(const StepRange& window, double dt) const {
    return static_cast<double>(train.n_spikes) /
           (static_cast<double>(window.size()) * dt);
  }
};

struct Latency : Ends {
  std::optional<double> Value(const StepRange& window, double dt) const {
    const std::optional<double> first = FirstSpike(train);
    if (!first) return std::nullopt;
    return (*first - static_cast<double>(window.first)) * dt;
  }
};

struct IntervalMean : Ends {
  std::optional<double> Value(const StepRange&, double dt) const {
    const std::optional<double> mean = MeanInterval(train);
    if (!mean) return std::nullopt;
    return *mean * dt;
  }
};

struct IntervalCv {
  static constexpr bool kKeepsSteps = true;
  SpikeSteps steps;
  void Add(int32_t step) { steps.push_back(step); }
  std::optional<double> Value(const StepRange&, double /*dt*/) const {
    return IntervalVariation(steps);
  }
};

template <typename S>
class TrainAccumulator final : public FeatureAccumulator {
 public:
  TrainAccumulator(const StepRange& window, double dt, double empty,
                   size_t n_lanes)
      : window_(window),
        dt_(dt),
        empty_(empty),
        lanes_(n_lanes),
        broken_(n_lanes) {}

  void Observe(size_t step, std::span<const double> series) override {
    if (!window_.Has(step)) return;
    bool any = false;
    for (const double n : series) any |= n != 0;
    if (!any) return;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (series[lane] == 0) continue;
      // A missing point of a recording, or a lane that has diverged.
      if (std::isnan(series[lane])) {
        broken_[lane] = true;
        continue;
      }
      const double n = std::clamp(series[lane], 1.0, double{kMostSpikesAStep});
      for (double spike = 0; spike < n; ++spike) {
        lanes_[lane].Add(static_cast<int32_t>(step));
      }
    }
  }

  void Finish(std::span<double> values) const override {
    for (size_t lane = 0; lane < values.size(); ++lane) {
      values[lane] = broken_[lane]
                         ? std::numeric_limits<double>::quiet_NaN()
                         : lanes_[lane].Value(window_, dt_).value_or(empty_);
    }
  }

 private:
  const StepRange window_;
  const double dt_, empty_;
  std::vector<S> lanes_;
  std::vector<bool> broken_;
};

template <typename S>
class TrainFeature final : public Feature {
 public:
  explicit TrainFeature(FeatureConfig config) : config_(std::move(config)) {}

  std::unique_ptr<FeatureAccumulator> Start(size_t n_steps,
                                            size_t n_lanes) const override {
    const auto empty = config_.options.find("empty");
    return std::make_unique<TrainAccumulator<S>>(
        WindowOf(config_, n_steps), config_.dt,
        empty == config_.options.end() ? 0 : empty->second, n_lanes);
  }

 private:
  const FeatureConfig config_;
};

template <typename S>
FeatureEntry EntryOf(std::string_view name, std::string_view summary,
                     Dimension (*dimension)(const Dimension&),
                     std::vector<OptionSpec> own = {}) {
  return {.name = name,
          .summary = summary,
          .family = MetricFamily::kSpikes,
          .dimension = dimension,
          .options = WindowOptions(std::move(own)),
          .keeps_steps = S::kKeepsSteps,
          .make = [](const FeatureConfig& config) -> std::unique_ptr<Feature> {
            return std::make_unique<TrainFeature<S>>(config);
          }};
}

OptionSpec Empty(std::string_view summary, OptionSpec::Kind kind) {
  return {.name = "empty",
          .summary = summary,
          .kind = kind,
          .default_value = std::numeric_limits<double>::quiet_NaN(),
          .or_number = true};
}

}  // namespace

extern const FeatureEntry kSpikeCountFeature =
    EntryOf<Count>("spike_count", "the number of spikes", &PlainNumber);
extern const FeatureEntry kSpikeRateFeature = EntryOf<Rate>(
    "spike_rate", "spikes by the duration of the window", &RateDimension);
extern const FeatureEntry kSpikeLatencyFeature = EntryOf<Latency>(
    "spike_latency", "the first spike's time from the window's begin",
    &TimeDimension,
    {Empty("value where there is no spike; without it, that has no number",
           OptionSpec::Kind::kTime)});
extern const FeatureEntry kIsiMeanFeature = EntryOf<IntervalMean>(
    "isi_mean", "the mean time between spikes", &TimeDimension,
    {Empty("value where there are fewer than two spikes; "
           "without it, that has no number",
           OptionSpec::Kind::kTime)});
extern const FeatureEntry kIsiCvFeature = EntryOf<IntervalCv>(
    "isi_cv", "the standard deviation of times between spikes over their mean",
    &PlainNumber,
    {Empty("value where there are fewer than three spikes; without it, that "
           "has no number",
           OptionSpec::Kind::kNumber)});

}  // namespace somafit
