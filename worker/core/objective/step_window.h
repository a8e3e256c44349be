#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "worker/core/objective/metric.h"

namespace somafit {

// Which steps of a trace count, and how much: those that have a target, and are
// not before t_start, or have a weight above 0. Weights count by their ratios.
class StepWindow {
 public:
  explicit StepWindow(const MetricConfig& config);

  // 0 where the step does not count.
  double Weight(std::span<const double> target, size_t step) const;
  std::vector<double> Weights(std::span<const double> target) const;
  size_t Count(std::span<const double> target) const;

 private:
  double first_step_;
  std::vector<double> weights_;  // at most 1; empty: none are given
};

// Options that metrics of a trace share.
OptionSpec TimeOfStart();
OptionSpec SizeOfDifferences(std::string_view summary);

// A metric over the steps of a window, whose error is divided by
// `normalization`.
class WindowedMetric : public Metric {
 public:
  explicit WindowedMetric(const MetricConfig& config);

  size_t CountedSteps(std::span<const double> target) const override {
    return window_.Count(target);
  }
  double Normalize(double error) const override {
    return error / normalization_;
  }

  const StepWindow& window() const { return window_; }
  double normalization() const { return normalization_; }

 private:
  const StepWindow window_;
  const double normalization_;
};

// Adds up, lane by lane, in the order of the steps that count. `Sums` has
//   void Add(double weight, double simulated, double target);
//   double Error() const;  // not a number where nothing was added
template <typename Sums>
class LaneSums final : public MetricAccumulator {
 public:
  LaneSums(const StepWindow& window, std::span<const double> target,
           size_t n_lanes, const Sums& none)
      : window_(window), target_(target), lanes_(n_lanes, none) {}

  void Observe(size_t step, std::span<const double> simulated) override {
    const double weight = window_.Weight(target_, step);
    if (weight == 0) return;
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      lanes_[lane].Add(weight, simulated[lane], target_[step]);
    }
  }

  void Finish(std::span<double> errors) const override {
    for (size_t lane = 0; lane < errors.size(); ++lane) {
      errors[lane] = lanes_[lane].Error();
    }
  }

 private:
  const StepWindow& window_;
  const std::span<const double> target_;
  std::vector<Sums> lanes_;
};

}  // namespace somafit
