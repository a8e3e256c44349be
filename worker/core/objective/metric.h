#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "worker/core/objective/option.h"

namespace somafit {

// Compares one output of one trace, or a group of them, for many lanes at once,
// step by step. Accumulates in the order of steps, each lane for itself. Refers
// to the metric and the targets that it was made from.
class MetricAccumulator {
 public:
  virtual ~MetricAccumulator() = default;
  // `simulated` has one value a lane; of a group, [output][lane].
  virtual void Observe(size_t step, std::span<const double> simulated) = 0;
  // The errors of the first lanes, as many as there is room for, in the
  // output's own units (raw, not normalized).
  virtual void Finish(std::span<double> errors) const = 0;
};

struct MetricConfig {
  OptionValues options;
  std::vector<double> t_weights;  // empty or one per step
  double dt = 0;                  // [s]
};

// Of each output of a group, in its order.
using GroupTargets = std::span<const std::span<const double>>;

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
  // The error where SquareWeights are given: that form, or a function of it.
  virtual double FromMeanSquare(double mean_square) const {
    return mean_square;
  }
  // Why it cannot compare with a target of `n_steps` steps, or OK.
  virtual absl::Status CheckTarget(std::span<const double> /*target*/) const {
    return absl::OkStatus();
  }
  // Raw error -> what is summed into the total error.
  virtual double Normalize(double error) const = 0;
  // How many steps of `target` take part; 0 means the trace says nothing.
  virtual size_t CountedSteps(std::span<const double> target) const = 0;
  // The same of a group's metric, which sees several outputs at a time.
  virtual std::unique_ptr<MetricAccumulator> StartGroup(GroupTargets targets,
                                                        size_t n_lanes) const {
    return Start(targets[0], n_lanes);
  }
  virtual size_t CountedGroupSteps(GroupTargets targets) const {
    return CountedSteps(targets[0]);
  }
};

// Whether `config` fits a target of `n_steps` samples. InvalidArgument: weights
// beside a t_start, as many weights as there are no steps, one of them negative
// or not finite, all of them 0, a t_start beyond the last sample.
absl::Status ValidateMetricConfig(const MetricConfig& config, size_t n_steps);

// What a metric compares. Of spikes, each step of a series has their number.
enum class MetricFamily : uint8_t {
  kTrace,
  kSpikes,
  kGroup,       // several traces together
  kExpression,  // nothing: a text of the model language is the error
};

// What the catalogue knows of a metric.
struct MetricEntry {
  std::string_view name, summary;
  MetricFamily family;
  // Of the raw error for an output of this dimension: one of those below.
  Dimension (*error_dimension)(const Dimension& output);
  std::vector<OptionSpec> options;
  std::unique_ptr<Metric> (*make)(const MetricConfig& config);
  size_t least_outputs = 1;  // of a group
};

inline Dimension OutputDimension(const Dimension& output) { return output; }
inline Dimension SquaredDimension(const Dimension& output) {
  return output.Power(2);
}
inline Dimension PlainNumber(const Dimension&) { return kNoDimension; }
inline Dimension TimeDimension(const Dimension&) { return kTimeDimension; }
inline Dimension RateDimension(const Dimension&) {
  return kNoDimension / kTimeDimension;
}

// All metrics, in the order in which they are shown.
const std::vector<const MetricEntry*>& AllMetrics();
const MetricEntry* FindMetric(std::string_view name);  // nullptr: unknown
// Whether a metric can be made of `config` for `target`: ValidateMetricConfig,
// weights of spikes, Metric::CheckTarget.
absl::Status ValidateMetric(const MetricEntry& entry,
                            const MetricConfig& config,
                            std::span<const double> target);

// What an output of this name is compared as.
MetricFamily FamilyOf(std::string_view output);
// The metric of some outputs: by its name, or of "" the default, mse, and of
// spikes gamma_factor. nullptr where there is none: `problem` then says so, or
// that it compares other things than these, and `hint` what there is.
const MetricEntry* ChooseMetric(std::string_view metric,
                                const std::vector<std::string>& outputs,
                                std::string* problem, std::string* hint);

}  // namespace somafit
