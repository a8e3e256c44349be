#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/metric.h"

namespace somafit {

extern const MetricEntry kMse;

const std::vector<const MetricEntry*>& AllMetrics() {
  static const auto* const metrics = new std::vector<const MetricEntry*>{&kMse};
  return *metrics;
}

const MetricEntry* FindMetric(std::string_view name) {
  for (const MetricEntry* entry : AllMetrics()) {
    if (entry->name == name) return entry;
  }
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

}  // namespace somafit
