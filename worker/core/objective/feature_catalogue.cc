#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/feature.h"
#include "worker/core/objective/spec_fields.h"

namespace somafit {

// trace_features.cc
extern const FeatureEntry kMaxFeature, kMinFeature, kMeanFeature,
    kMedianFeature, kStdFeature, kKurtosisFeature, kQuantileFeature,
    kRmsFeature, kLastFeature;
// spike_features.cc
extern const FeatureEntry kSpikeCountFeature, kSpikeRateFeature,
    kSpikeLatencyFeature, kIsiMeanFeature, kIsiCvFeature;
// raw_traces.cc
extern const FeatureEntry kTraceFeature;

namespace {

// The first step whose time is not before `time`; it may lie far beyond a
// trace, hence a double.
double StepAt(double time, double dt) {
  const double steps = time / dt, whole = std::nearbyint(steps);
  return std::fabs(steps - whole) <= 1e-9 * steps ? whole : std::ceil(steps);
}

}  // namespace

StepRange WindowOf(const FeatureConfig& config, size_t n_steps) {
  const auto step = [&](const char* option) {
    const double at = StepAt(config.options.at(option), config.dt);
    return at < static_cast<double>(n_steps) ? static_cast<size_t>(at)
                                             : n_steps;
  };
  return {step("t_start"), step("t_end")};
}

absl::Status CheckWindow(const FeatureConfig& config, size_t n_steps) {
  const double t_start = config.options.at("t_start");
  const double t_end = config.options.at("t_end");
  const double last = static_cast<double>(n_steps);
  const auto lasts = [&] {
    return absl::StrCat("the trace, which lasts ",
                        ShortestText(last * config.dt), " second");
  };
  if (!(StepAt(t_start, config.dt) < last)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "t_start = ", ShortestText(t_start), " second lies beyond ", lasts()));
  }
  if (std::isfinite(t_end) && StepAt(t_end, config.dt) > last) {
    return absl::InvalidArgumentError(absl::StrCat(
        "t_end = ", ShortestText(t_end), " second lies beyond ", lasts()));
  }
  if (WindowOf(config, n_steps).size() > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no step from t_start = ", ShortestText(t_start),
      " second on and before t_end = ", ShortestText(t_end), " second"));
}

const std::vector<const FeatureEntry*>& AllFeatures() {
  static const auto* const features = new std::vector<const FeatureEntry*>{
      &kMaxFeature,        &kMinFeature,       &kMeanFeature,
      &kMedianFeature,     &kStdFeature,       &kKurtosisFeature,
      &kQuantileFeature,   &kRmsFeature,       &kLastFeature,
      &kSpikeCountFeature, &kSpikeRateFeature, &kSpikeLatencyFeature,
      &kIsiMeanFeature,    &kIsiCvFeature,     &kTraceFeature};
  return *features;
}

const FeatureEntry* FindFeature(std::string_view name) {
  for (const FeatureEntry* entry : AllFeatures()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

const FeatureEntry* ChooseFeature(std::string_view name,
                                  std::string_view output, std::string* problem,
                                  std::string* hint) {
  const MetricFamily family = FamilyOf(output);
  const FeatureEntry* const entry = FindFeature(name);
  if (entry != nullptr && entry->family == family) return entry;
  const bool of_spikes = family == MetricFamily::kSpikes;
  if (name.empty()) {
    *problem = "it is not said which feature is wanted";
  } else if (entry == nullptr) {
    *problem = absl::StrCat("there is no feature ", Shown(name));
  } else {
    *problem = absl::StrCat(
        "the feature ", Shown(name), " is of ",
        of_spikes ? "a trace, not of spikes" : "spikes, not of a trace");
  }
  std::vector<std::string> names;
  for (const FeatureEntry* known : AllFeatures()) {
    if (known->family == family) names.emplace_back(known->name);
  }
  const std::string nearest =
      entry == nullptr
          ? NearestWord(std::string(name.substr(0, kLongestName)), names)
          : "";
  *hint = nearest.empty()
              ? absl::StrCat("of ", of_spikes ? "spikes" : "traces",
                             " there are: ", absl::StrJoin(names, ", "))
              : absl::StrCat("did you mean \"", nearest, "\"?");
  return nullptr;
}

std::vector<OptionSpec> WindowOptions(std::vector<OptionSpec> own) {
  own.push_back({.name = "t_start",
                 .summary = "time from which on steps count",
                 .kind = OptionSpec::Kind::kTime,
                 .default_value = 0,
                 .minimum = 0});
  own.push_back({.name = "t_end",
                 .summary = "time from which on they no longer count; without "
                            "it, to the end",
                 .kind = OptionSpec::Kind::kTime,
                 .default_value = std::numeric_limits<double>::infinity(),
                 .minimum = 0});
  return own;
}

}  // namespace somafit
