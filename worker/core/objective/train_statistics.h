#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace somafit {

// Numbers made of a spike train: what features of spikes are, and what errors
// of features compare. Times are in steps; nullopt where there are too few
// spikes.

// The steps of a train's spikes, in order; several in a step are repeated.
using SpikeSteps = std::vector<int32_t>;

// All that most of them need of a train.
struct TrainEnds {
  size_t n_spikes = 0;
  int32_t first = 0, last = 0;
  void Add(int32_t step) {
    if (n_spikes++ == 0) first = step;
    last = step;
  }
};
TrainEnds EndsOf(const SpikeSteps& steps);

std::optional<double> FirstSpike(const TrainEnds& train);
std::optional<double> MeanInterval(const TrainEnds& train);  // from 2 spikes on
// The standard deviation of intervals (of the population) over their mean, from
// 3 spikes on.
std::optional<double> IntervalVariation(const SpikeSteps& steps);

inline constexpr size_t kMostSpikesAStep = 100;
// Whether `target`, the numbers of spikes in each step, is a train: whole
// numbers, and not too many. NaN: missing points. The message names the step.
absl::Status CheckTrain(std::span<const double> target);

}  // namespace somafit
