// Errors of one number that is made of a spike train: e = |f(y) - f(d)|.
//
//   spike_count    spikes
//   spike_rate     spikes by the duration of the trace, [1/s]
//   spike_latency  time of the first spike after t_start, [s]
//   isi_mean       mean time between spikes, [s]
//   isi_cv         its standard deviation (of the population) over its mean
//
// A train with too few spikes has no latency, interval or variation. Two such
// trains agree; one such train is off by the duration of the trace, or, in
// isi_cv, by 1. Spikes on both sides of missing points count as neighbours.
#include <cmath>
#include <optional>

#include "worker/core/objective/spike_metric.h"

namespace somafit {
namespace {

using Feature = std::optional<double> (*)(const SpikeSteps& steps);

std::optional<double> First(const SpikeSteps& steps) {
  return FirstSpike(EndsOf(steps));
}

std::optional<double> Interval(const SpikeSteps& steps) {
  return MeanInterval(EndsOf(steps));
}

class SpikeCount : public SpikeMetric {
 public:
  using SpikeMetric::SpikeMetric;
  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double /*duration*/) const override {
    return std::fabs(static_cast<double>(simulated.size()) -
                     static_cast<double>(target.size()));
  }
};

class SpikeRate final : public SpikeCount {
 public:
  using SpikeCount::SpikeCount;
  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double duration) const override {
    return SpikeCount::Compare(simulated, target, duration) / duration;
  }
};

// A time in steps, or, of a variation, a number.
template <Feature feature, bool is_time>
class TrainFeature final : public SpikeMetric {
 public:
  using SpikeMetric::SpikeMetric;
  double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                 double duration) const override {
    const auto y = feature(simulated), d = feature(target);
    if (!y && !d) return 0;
    if (!y || !d) return is_time ? duration : 1;
    return std::fabs(*y - *d) * (is_time ? dt() : 1);
  }
};

template <typename M>
std::unique_ptr<Metric> Make(const MetricConfig& config) {
  return std::make_unique<M>(config);
}

}  // namespace

extern const MetricEntry kSpikeCount = {
    "spike_count",         "difference of the numbers of spikes",
    MetricFamily::kSpikes, &PlainNumber,
    SpikeOptions({}),      &Make<SpikeCount>};
extern const MetricEntry kSpikeRate = {
    "spike_rate",
    "difference of the firing rates",
    MetricFamily::kSpikes,
    &RateDimension,
    SpikeOptions({}, OptionSpec::Kind::kRate),
    &Make<SpikeRate>};
extern const MetricEntry kSpikeLatency = {
    "spike_latency",
    "difference of the times of the first spike",
    MetricFamily::kSpikes,
    &TimeDimension,
    SpikeOptions({}, OptionSpec::Kind::kTime),
    &Make<TrainFeature<&First, true>>};
extern const MetricEntry kIsiMean = {
    "isi_mean",
    "difference of the mean times between spikes",
    MetricFamily::kSpikes,
    &TimeDimension,
    SpikeOptions({}, OptionSpec::Kind::kTime),
    &Make<TrainFeature<&Interval, true>>};
extern const MetricEntry kIsiCv = {
    "isi_cv",
    "difference of the variations of times between spikes",
    MetricFamily::kSpikes,
    &PlainNumber,
    SpikeOptions({}),
    &Make<TrainFeature<&IntervalVariation, false>>};

}  // namespace somafit
