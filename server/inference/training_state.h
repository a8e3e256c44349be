#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/model.h"
#include "server/inference/optimization.h"
#include "server/inference/training.h"

namespace somafit {

// All that changes while an estimator is trained: what a checkpoint holds.
struct TrainingState {
  Optimization optimization;
  at::Tensor best;  // the weights with the least validation loss
  // The least validation losses of the weights and of their average, and epochs
  // since either got less.
  double best_raw = std::numeric_limits<double>::infinity();
  double best_average = std::numeric_limits<double>::infinity();
  int64_t fruitless = 0;
  TrainingSummary summary;
};

// `identity` is a sum over what must be the same in a resumed training.
std::string EncodeState(const Model& model, const TrainingState& state,
                        uint64_t identity);
// Also sets the scales of `model`. FailedPrecondition for another training's
// bytes, DataLoss for anything else that EncodeState did not write.
absl::StatusOr<TrainingState> DecodeState(std::string_view bytes,
                                          uint64_t identity, bool averages,
                                          Model& model);

}  // namespace somafit
