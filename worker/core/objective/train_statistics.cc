#include "worker/core/objective/train_statistics.h"

#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr double kMostOfTrain = 1'000'000;  // spikes in a trace

}  // namespace

TrainEnds EndsOf(const SpikeSteps& steps) {
  if (steps.empty()) return {};
  return {steps.size(), steps.front(), steps.back()};
}

std::optional<double> FirstSpike(const TrainEnds& train) {
  if (train.n_spikes == 0) return std::nullopt;
  return static_cast<double>(train.first);
}

std::optional<double> MeanInterval(const TrainEnds& train) {
  if (train.n_spikes < 2) return std::nullopt;
  return static_cast<double>(train.last - train.first) /
         static_cast<double>(train.n_spikes - 1);
}

std::optional<double> IntervalVariation(const SpikeSteps& steps) {
  const std::optional<double> mean = MeanInterval(EndsOf(steps));
  if (steps.size() < 3 || !(*mean > 0)) return std::nullopt;
  double squares = 0;
  for (size_t i = 1; i < steps.size(); ++i) {
    const double off = static_cast<double>(steps[i] - steps[i - 1]) - *mean;
    squares = std::fma(off, off, squares);
  }
  return std::sqrt(squares / static_cast<double>(steps.size() - 1)) / *mean;
}

absl::Status CheckTrain(std::span<const double> target) {
  double all = 0;
  for (size_t step = 0; step < target.size(); ++step) {
    const double n = target[step];
    all += std::isnan(n) ? 0 : n;
    if (std::isnan(n) ||
        (n >= 0 && n <= kMostSpikesAStep && n == std::floor(n))) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "step ", step, " has ", ShortestText(n),
        " spikes; a spike train has a whole number in each step, at most ",
        kMostSpikesAStep));
  }
  if (all <= kMostOfTrain) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("there are ", ShortestText(all), " spikes, at most ",
                   ShortestText(kMostOfTrain), " are compared"));
}

}  // namespace somafit
