#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/objective/metric.h"
#include "worker/core/objective/option.h"

namespace somafit {

// A feature is a number made of one output on one trace. Nothing is compared:
// what a recording lacks changes no feature of a simulation.

// Steps first .. end-1.
struct StepRange {
  size_t first = 0, end = 0;
  bool Has(size_t step) const { return step >= first && step < end; }
  size_t size() const { return end > first ? end - first : 0; }
};

// Features of one output on one trace, for many lanes at once, step by step, in
// the order of steps, each lane for itself. Refers to nothing.
class FeatureAccumulator {
 public:
  virtual ~FeatureAccumulator() = default;
  // `series` has one value a lane; of spikes, how many there are in the step.
  virtual void Observe(size_t step, std::span<const double> series) = 0;
  // The features of the first lanes, as many as there is room for, in SI. NaN
  // where there is none, and where a step that it is made of is not a number.
  virtual void Finish(std::span<double> values) const = 0;
};

struct FeatureConfig {
  OptionValues options;
  double dt = 0;  // [s], above 0
};

// The window [t_start, t_end) on a trace of `n_steps` steps: of step k, whose
// time is k dt, those with t_start <= k dt < t_end, where a time that is a
// whole number of steps but for rounding is that number. Windows that follow on
// each other share no step.
StepRange WindowOf(const FeatureConfig& config, size_t n_steps);
// Why a trace of `n_steps` steps has no such window: it is empty, or reaches
// beyond the trace; or OK.
absl::Status CheckWindow(const FeatureConfig& config, size_t n_steps);

class Feature {
 public:
  virtual ~Feature() = default;
  // On a trace of `n_steps` steps, for which CheckWindow is OK.
  virtual std::unique_ptr<FeatureAccumulator> Start(size_t n_steps,
                                                    size_t n_lanes) const = 0;
};

// What the catalogue knows of a feature.
struct FeatureEntry {
  std::string_view name, summary;
  MetricFamily family;  // kTrace or kSpikes
  // Of the feature of an output of this dimension: metric.h has them.
  Dimension (*dimension)(const Dimension& output);
  std::vector<OptionSpec> options;
  // Whether a lane keeps a number of every step of the window.
  bool keeps_steps;
  // nullptr: it is no number but the trace itself, see raw_traces.h.
  std::unique_ptr<Feature> (*make)(const FeatureConfig& config);
};

// All features, in the order in which they are shown.
const std::vector<const FeatureEntry*>& AllFeatures();
const FeatureEntry* FindFeature(std::string_view name);  // nullptr: unknown
// The feature `name` of an output of this name. nullptr where there is none:
// `problem` then says so, or that it is of something else, `hint` what there
// is.
const FeatureEntry* ChooseFeature(std::string_view name,
                                  std::string_view output, std::string* problem,
                                  std::string* hint);

// `own`, then the options that all features share: t_start and t_end.
std::vector<OptionSpec> WindowOptions(std::vector<OptionSpec> own);

}  // namespace somafit
