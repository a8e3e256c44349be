#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/units/dimension.h"

namespace somafit {

// A quantity that every trace of a dataset has one signal of.
struct Channel {
  std::string name;
  Dimension dimension;
};

// An output of this name is a spike train: each sample of a target is the
// number of spikes in a step.
inline constexpr char kSpikes[] = "spikes";

// One stimulus with its recorded response, uniformly sampled.
struct Trace {
  double dt = 0;      // [s]
  double weight = 1;  // Share in the mean over traces; > 0.
  // One signal per channel, each of n_steps samples in SI. A NaN in a target
  // is a missing point; inputs are finite.
  std::vector<std::vector<double>> inputs;
  std::vector<std::vector<double>> targets;

  size_t n_steps() const {
    return inputs.empty() ? (targets.empty() ? 0 : targets[0].size())
                          : inputs[0].size();
  }
};

// Input traces and target outputs. Immutable once stored; addressed by the
// SHA-256 of EncodeDataset.
struct Dataset {
  std::vector<Channel> inputs;
  std::vector<Channel> outputs;
  std::vector<Trace> traces;
};

// Limits that a dataset is refused beyond.
inline constexpr size_t kMaxChannels = 64;
inline constexpr size_t kMaxTraces = 100'000;
inline constexpr size_t kMaxDatasetBytes = size_t{1} << 31;

// Checks shapes, names, finiteness and limits; the message names channel,
// trace and sample, and gives both shapes where they differ. Reports all
// violations, one a line.
absl::Status ValidateDataset(const Dataset& dataset);

// The canonical encoding: little-endian, fixed layout, every NaN as
// 0x7ff8000000000000. Equal datasets have equal bytes.
std::string EncodeDataset(const Dataset& dataset);
// Inverse; InvalidArgument for anything that EncodeDataset would not write or
// that ValidateDataset refuses. Never allocates more than a small multiple of
// `bytes`.
absl::StatusOr<Dataset> DecodeDataset(std::string_view bytes);

}  // namespace somafit
