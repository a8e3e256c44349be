#pragma once

#include <memory>
#include <span>
#include <vector>

#include "worker/core/objective/metric.h"
#include "worker/core/objective/train_statistics.h"

namespace somafit {

// A metric of spike trains, at times that are multiples of the time step. The
// series it compares have the number of spikes in each step; a NaN in a target
// is a time that was not observed, whose spikes count in neither train. Of a
// t_start above 0, spikes later than it count.
class SpikeMetric : public Metric {
 public:
  explicit SpikeMetric(const MetricConfig& config);

  // The error of a train; `duration` is the time that counts [s].
  virtual double Compare(const SpikeSteps& simulated, const SpikeSteps& target,
                         double duration) const = 0;

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const final;
  double Normalize(double error) const final { return error / normalization_; }
  size_t CountedSteps(std::span<const double> target) const final;
  // A train has whole numbers of spikes, and not too many.
  absl::Status CheckTarget(std::span<const double> target) const override;

  bool Counts(size_t step) const {
    return first_step_ < 0 || static_cast<double>(step) > first_step_;
  }
  double dt() const { return dt_; }
  SpikeSteps StepsOf(std::span<const double> target) const;
  double DurationOf(std::span<const double> target) const {
    return static_cast<double>(CountedSteps(target)) * dt_;
  }

 private:
  const double dt_;
  const double first_step_;  // the last that does not count; -1: all do
  const double normalization_;
};

// Options that metrics of spikes share behind their own.
std::vector<OptionSpec> SpikeOptions(
    std::vector<OptionSpec> own,
    OptionSpec::Kind of_error = OptionSpec::Kind::kNumber);

}  // namespace somafit
