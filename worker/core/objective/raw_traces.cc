#include "worker/core/objective/raw_traces.h"

#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"

#include "worker/core/objective/feature.h"

namespace somafit {

extern const FeatureEntry kTraceFeature = {
    .name = "trace",
    .summary =
        "the trace itself: each of its steps is a column of x, in place of all "
        "other features; what is inferred from where none are given",
    .family = MetricFamily::kTrace,
    .dimension = &OutputDimension,
    .options = WindowOptions({{.name = "every",
                               .summary = "takes one of so many steps, the "
                                          "window's first among them",
                               .kind = OptionSpec::Kind::kInteger,
                               .default_value = 1,
                               .minimum = 1,
                               .maximum = 1e9}}),
    .keeps_steps = false,
    .make = nullptr};

std::vector<FeatureSpec> TracesOfOutputs(const Dataset& dataset,
                                         Diagnostics& diagnostics) {
  std::vector<FeatureSpec> specs;
  for (const Channel& output : dataset.outputs) {
    if (FamilyOf(output.name) == MetricFamily::kSpikes) {
      diagnostics.FieldError(
          "E_FEATURE", "inference.features",
          absl::StrCat("there are no features, but ", output.name,
                       " have no raw trace to infer from"),
          "give features, such as spike_count and isi_mean of spikes");
      continue;
    }
    specs.push_back({.output = output.name,
                     .feature = std::string(kTraceFeature.name),
                     .options = {},
                     .name = ""});
  }
  return specs;
}

bool AreRawTraces(const std::vector<FeatureTerm>& terms) {
  return !terms.empty() && terms.front().feature == nullptr;
}

XColumns RawColumns(const std::vector<FeatureTerm>& terms,
                    const Dataset& dataset) {
  std::vector<TraceSegment> segments;
  for (size_t output = 0; output < dataset.outputs.size(); ++output) {
    for (size_t trace = 0; trace < dataset.traces.size(); ++trace) {
      const size_t n_steps = dataset.traces[trace].n_steps();
      for (const FeatureTerm& term : terms) {
        if (term.output != output) continue;
        const StepRange window = WindowOf(term.config, n_steps);
        const auto every = static_cast<size_t>(term.config.options.at("every"));
        segments.push_back({.name = term.name,
                            .output = output,
                            .trace = trace,
                            .first_step = window.first,
                            .every = every,
                            .count = (window.size() + every - 1) / every});
      }
    }
  }
  return XColumns(std::move(segments));
}

float RawNumber(double value) {
  // Of NaN there are many; one stands for all.
  return std::isnan(value) ? std::numeric_limits<float>::quiet_NaN()
                           : static_cast<float>(value);
}

std::vector<double> ObserveTraces(const XColumns& columns,
                                  const Dataset& dataset) {
  std::vector<double> x;
  x.reserve(columns.size());
  for (const TraceSegment& segment : columns.segments()) {
    const std::vector<double>& series =
        dataset.traces[segment.trace].targets[segment.output];
    for (size_t k = 0; k < segment.count; ++k) {
      x.push_back(RawNumber(series[segment.StepOf(k)]));
    }
  }
  return x;
}

void CheckTraces(const XColumns& columns, std::span<const double> x,
                 Diagnostics& diagnostics) {
  std::set<std::string> reported;
  for (const TraceSegment& segment : columns.segments()) {
    for (size_t k = 0; k < segment.count; ++k) {
      const double value = x[segment.column + k];
      if (std::isfinite(value)) continue;
      if (!reported.insert(segment.name).second) break;
      diagnostics.FieldError(
          "E_OBSERVATION", absl::StrCat("inference.features.", segment.name),
          std::isnan(value)
              ? absl::StrCat("the recording of trace ", segment.trace,
                             " has no point at step ", segment.StepOf(k),
                             ", which is a column of x")
              : absl::StrCat("the recording of trace ", segment.trace,
                             " is beyond what 32 bits hold at step ",
                             segment.StepOf(k)),
          "choose another window, or give inference.observation");
      break;
    }
  }
}

}  // namespace somafit
