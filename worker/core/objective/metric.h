#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "worker/core/objective/option.h"

namespace somafit {

// Compares one output of one trace, for many lanes at once, step by step.
// Accumulates in the order of steps, each lane for itself. Refers to the metric
// and the target that it was made from.
class MetricAccumulator {
 public:
  virtual ~MetricAccumulator() = default;
  // `simulated` has one value a lane.
  virtual void Observe(size_t step, std::span<const double> simulated) = 0;
  // The error of each lane, in the output's own units (raw, not normalized).
  virtual void Finish(std::span<double> errors) const = 0;
};

struct MetricConfig {
  OptionValues options;
  std::vector<double> t_weights;  // empty or one per step
  double dt = 0;                  // [s]
};

// A metric; smaller is better.
class Metric {
 public:
  virtual ~Metric() = default;
  // `target` may hold NaN: missing points, masked.
  virtual std::unique_ptr<MetricAccumulator> Start(
      std::span<const double> target, size_t n_lanes) const = 0;
  // For an error of the form sum_k w_k (y_k - d_k)^2 / sum_k w_k: the weights,
  // one a step of `target`, 0 where a step does not count. A kernel then adds
  // up by itself, in the order of steps: sum = fma(w d, d, sum). Empty for
  // other metrics.
  virtual std::vector<double> SquareWeights(
      std::span<const double> /*target*/) const {
    return {};
  }
  // Raw error -> what is summed into the total error.
  virtual double Normalize(double error) const = 0;
  // How many steps of `target` take part; 0 means the trace says nothing.
  virtual size_t CountedSteps(std::span<const double> target) const = 0;
  // Dimension of the raw error for an output of dimension `output`.
  virtual Dimension ErrorDimension(const Dimension& output) const = 0;
};

// Whether `config` fits a target of `n_steps` samples. InvalidArgument: weights
// beside a t_start, as many weights as there are no steps, one of them negative
// or not finite, all of them 0, a t_start beyond the last sample.
absl::Status ValidateMetricConfig(const MetricConfig& config, size_t n_steps);

// What the catalogue knows of a metric.
struct MetricEntry {
  std::string_view name, summary;
  std::vector<OptionSpec> options;
  std::unique_ptr<Metric> (*make)(const MetricConfig& config);
};

// All metrics, in the order in which they are shown.
const std::vector<const MetricEntry*>& AllMetrics();
const MetricEntry* FindMetric(std::string_view name);  // nullptr: unknown

}  // namespace somafit
