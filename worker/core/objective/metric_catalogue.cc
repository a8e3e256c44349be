#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/data/dataset.h"
#include "worker/core/objective/metric.h"

namespace somafit {

// mse.cc, absolute_difference.cc, similarity.cc
extern const MetricEntry kMse, kRmse, kMae, kHuber, kCorrelation, kCosine;
// trace_feature_errors.cc
extern const MetricEntry kMax, kMin, kMean, kMedian, kStd, kKurtosis, kQuantile;
// gamma_factor.cc, spike_distances.cc
extern const MetricEntry kGammaFactor, kVanRossum, kVictorPurpura;
// spike_feature_errors.cc
extern const MetricEntry kSpikeCount, kSpikeRate, kSpikeLatency, kIsiMean,
    kIsiCv;

// connectivity.cc
extern const MetricEntry kFcCorrelation, kFcRmse, kFcdCorrelation, kFcdKs,
    kFcdWasserstein;
// expression_metric.cc
extern const MetricEntry kExpressionMetric;

namespace {

std::string NameOfFamily(MetricFamily family) {
  switch (family) {
    case MetricFamily::kTrace:
      return "a trace";
    case MetricFamily::kSpikes:
      return "spikes";
    case MetricFamily::kGroup:
      return "a group of outputs";
    case MetricFamily::kExpression:
      return "nothing, being an error by itself";
  }
  return "";
}

}  // namespace

const std::vector<const MetricEntry*>& AllMetrics() {
  static const auto* const metrics =
      new std::vector<const MetricEntry*>{&kMse,
                                          &kRmse,
                                          &kMae,
                                          &kHuber,
                                          &kCorrelation,
                                          &kCosine,
                                          &kMax,
                                          &kMin,
                                          &kMean,
                                          &kMedian,
                                          &kStd,
                                          &kKurtosis,
                                          &kQuantile,
                                          &kGammaFactor,
                                          &kVanRossum,
                                          &kVictorPurpura,
                                          &kSpikeCount,
                                          &kSpikeRate,
                                          &kSpikeLatency,
                                          &kIsiMean,
                                          &kIsiCv,
                                          &kFcCorrelation,
                                          &kFcRmse,
                                          &kFcdCorrelation,
                                          &kFcdKs,
                                          &kFcdWasserstein,
                                          &kExpressionMetric};
  return *metrics;
}

const MetricEntry* FindMetric(std::string_view name) {
  for (const MetricEntry* entry : AllMetrics()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

MetricFamily FamilyOf(std::string_view output) {
  return output == kSpikes ? MetricFamily::kSpikes : MetricFamily::kTrace;
}

const MetricEntry* ChooseMetric(std::string_view metric,
                                const std::vector<std::string>& outputs,
                                std::string* problem, std::string* hint) {
  MetricFamily family = MetricFamily::kGroup;
  if (outputs.size() == 1) family = FamilyOf(outputs[0]);
  const MetricEntry* const entry = FindMetric(metric);
  if (metric.empty() && family == MetricFamily::kSpikes) return &kGammaFactor;
  if (metric.empty() && family == MetricFamily::kTrace) return &kMse;
  if (entry != nullptr && entry->family == family) return entry;
  const std::string name(metric);
  if (metric.empty()) {
    *problem = "a group of outputs has no metric of its own";
  } else if (entry == nullptr) {
    *problem = absl::StrCat("there is no metric ", Quoted(name));
  } else {
    *problem = absl::StrCat("the metric ", Quoted(name), " compares ",
                            NameOfFamily(entry->family), ", not ",
                            NameOfFamily(family));
  }
  std::vector<std::string> names;
  for (const MetricEntry* known : AllMetrics()) {
    if (known->family == family) names.emplace_back(known->name);
  }
  const std::string nearest = entry == nullptr ? NearestWord(name, names) : "";
  *hint = nearest.empty()
              ? absl::StrCat("known are: ", absl::StrJoin(names, ", "))
              : absl::StrCat("did you mean `", nearest, "`?");
  return nullptr;
}

absl::Status ValidateMetricConfig(const MetricConfig& config, size_t n_steps) {
  const auto option = config.options.find("t_start");
  const double t_start = option == config.options.end() ? 0 : option->second;
  const std::vector<double>& weights = config.t_weights;
  if (!weights.empty()) {
    if (t_start != 0) {
      return absl::InvalidArgumentError(
          "both t_start and t_weights are given; give one of them, weights of "
          "0 leave steps out");
    }
    if (weights.size() != n_steps) {
      return absl::InvalidArgumentError(absl::StrCat(
          "t_weights has ", weights.size(), " numbers, but the trace has ",
          n_steps, " steps; give one weight per step"));
    }
    bool any = false;
    for (size_t k = 0; k < weights.size(); ++k) {
      if (!(weights[k] >= 0) || !std::isfinite(weights[k])) {
        return absl::InvalidArgumentError(
            absl::StrCat("t_weights is ", ShortestText(weights[k]), " at step ",
                         k, "; weights are finite and not negative"));
      }
      any = any || weights[k] > 0;
    }
    if (!any) {
      return absl::InvalidArgumentError(
          "t_weights is 0 at every step; at least one must be above 0");
    }
    return absl::OkStatus();
  }
  // Compared as doubles: the quotient may be too large for an integer.
  if (!(std::nearbyint(t_start / config.dt) < static_cast<double>(n_steps))) {
    return absl::InvalidArgumentError(
        absl::StrCat("t_start = ", ShortestText(t_start),
                     " second lies beyond the trace, which lasts ",
                     ShortestText(static_cast<double>(n_steps) * config.dt),
                     " second; choose an earlier one"));
  }
  return absl::OkStatus();
}

absl::Status ValidateMetric(const MetricEntry& entry,
                            const MetricConfig& config,
                            std::span<const double> target) {
  if (entry.family == MetricFamily::kSpikes && !config.t_weights.empty()) {
    return absl::InvalidArgumentError(
        "t_weights weigh the steps of traces; for spikes give a t_start");
  }
  if ((entry.family == MetricFamily::kGroup ||
       entry.family == MetricFamily::kExpression) &&
      !config.t_weights.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("t_weights are not for ", std::string(entry.name),
                     "; give a t_start, or weigh the steps in the expression"));
  }
  const absl::Status status = ValidateMetricConfig(config, target.size());
  return status.ok() ? entry.make(config)->CheckTarget(target) : status;
}

}  // namespace somafit
