#include "worker/core/objective/spike_metric.h"

#include <cmath>

namespace somafit {
namespace {

class SpikeAccumulator final : public MetricAccumulator {
 public:
  SpikeAccumulator(const SpikeMetric& metric, std::span<const double> target,
                   size_t n_lanes)
      : metric_(metric), target_(target), lanes_(n_lanes), broken_(n_lanes) {}

  void Observe(size_t step, std::span<const double> simulated) override {
    if (!metric_.Counts(step) || std::isnan(target_[step])) return;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (simulated[lane] == 0) continue;
      // Of a lane that has diverged.
      if (std::isnan(simulated[lane])) broken_[lane] = true;
      lanes_[lane].push_back(static_cast<int32_t>(step));
    }
  }

  void Finish(std::span<double> errors) const override {
    const SpikeSteps target = metric_.StepsOf(target_);
    const double duration = metric_.DurationOf(target_);
    for (size_t lane = 0; lane < errors.size(); ++lane) {
      errors[lane] = broken_[lane]
                         ? std::nan("")
                         : metric_.Compare(lanes_[lane], target, duration);
    }
  }

 private:
  const SpikeMetric& metric_;
  const std::span<const double> target_;
  std::vector<SpikeSteps> lanes_;
  std::vector<bool> broken_;
};

// Of t_start in steps: one that is a whole number but for rounding is that.
double FirstStep(double t_start, double dt) {
  if (t_start == 0) return -1;
  const double steps = t_start / dt, whole = std::nearbyint(steps);
  return std::fabs(steps - whole) <= 1e-9 * steps ? whole : steps;
}

}  // namespace

SpikeMetric::SpikeMetric(const MetricConfig& config)
    : dt_(config.dt),
      first_step_(FirstStep(config.options.at("t_start"), config.dt)),
      normalization_(config.options.at("normalization")) {}

std::unique_ptr<MetricAccumulator> SpikeMetric::Start(
    std::span<const double> target, size_t n_lanes) const {
  return std::make_unique<SpikeAccumulator>(*this, target, n_lanes);
}

size_t SpikeMetric::CountedSteps(std::span<const double> target) const {
  size_t counted = 0;
  for (size_t step = 0; step < target.size(); ++step) {
    if (Counts(step) && !std::isnan(target[step])) ++counted;
  }
  return counted;
}

absl::Status SpikeMetric::CheckTarget(std::span<const double> target) const {
  return CheckTrain(target);
}

SpikeSteps SpikeMetric::StepsOf(std::span<const double> target) const {
  SpikeSteps steps;
  for (size_t step = 0; step < target.size(); ++step) {
    if (!Counts(step) || !(target[step] > 0)) continue;
    steps.insert(steps.end(), static_cast<size_t>(target[step]),
                 static_cast<int32_t>(step));
  }
  return steps;
}

std::vector<OptionSpec> SpikeOptions(std::vector<OptionSpec> own,
                                     OptionSpec::Kind of_error) {
  own.push_back({.name = "t_start",
                 .summary = "time after which spikes count",
                 .kind = OptionSpec::Kind::kTime,
                 .default_value = 0,
                 .minimum = 0});
  own.push_back({.name = "normalization",
                 .summary = "size that the error is divided by",
                 .kind = of_error,
                 .default_value = 1,
                 .minimum = std::numeric_limits<double>::min(),
                 .or_number = true});
  return own;
}

}  // namespace somafit
