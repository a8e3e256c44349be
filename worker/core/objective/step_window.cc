#include "worker/core/objective/step_window.h"

#include <algorithm>
#include <cmath>

namespace somafit {

StepWindow::StepWindow(const MetricConfig& config)
    // Half to even, as the rounding mode is.
    : first_step_(std::nearbyint(config.options.at("t_start") / config.dt)),
      weights_(config.t_weights) {
  // Only ratios matter: of size 1, they neither overflow nor underflow.
  const auto largest = std::max_element(weights_.begin(), weights_.end());
  if (largest == weights_.end() || *largest == 0) return;
  const double scale = *largest;
  for (double& weight : weights_) weight /= scale;
}

double StepWindow::Weight(std::span<const double> target, size_t step) const {
  if (std::isnan(target[step])) return 0;
  if (!weights_.empty()) {
    return step < weights_.size() ? weights_[step] : 0;
  }
  return static_cast<double>(step) >= first_step_ ? 1 : 0;
}

std::vector<double> StepWindow::Weights(std::span<const double> target) const {
  std::vector<double> weights;
  weights.reserve(target.size());
  for (size_t step = 0; step < target.size(); ++step) {
    weights.push_back(Weight(target, step));
  }
  return weights;
}

size_t StepWindow::Count(std::span<const double> target) const {
  size_t counted = 0;
  for (size_t step = 0; step < target.size(); ++step) {
    if (Weight(target, step) > 0) ++counted;
  }
  return counted;
}

OptionSpec TimeOfStart() {
  return {.name = "t_start",
          .summary = "time from which on the error counts",
          .kind = OptionSpec::Kind::kTime,
          .default_value = 0,
          .minimum = 0};
}

OptionSpec SizeOfDifferences(std::string_view summary) {
  return {.name = "normalization",
          .summary = summary,
          .kind = OptionSpec::Kind::kOutput,
          .default_value = 1,
          .minimum = std::numeric_limits<double>::min()};
}

WindowedMetric::WindowedMetric(const MetricConfig& config)
    : window_(config), normalization_(config.options.at("normalization")) {}

}  // namespace somafit
