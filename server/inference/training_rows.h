#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/loss.h"
#include "server/inference/model.h"
#include "server/inference/training.h"

namespace somafit {

// InvalidArgument, with what is wrong, for data that do not fit the spec, are
// not finite, or lack what the loss needs. `model`'s scales need not be set.
absl::Status CheckTrainingData(const Model& model, const TrainingData& data,
                               const TrainingLoss& loss);

// The rows that the options let be used, in order.
std::vector<int64_t> SelectRows(const TrainingOptions& options,
                                const TrainingData& data,
                                const TrainingLoss& loss, size_t n_parameters);

// A part for training and one for validation: numbers of rows.
struct Split {
  std::vector<int64_t> training, validation;
};
// floor((1 - fraction) n) of `rows` for training, by a permutation that the
// seed decides.
Split SplitRows(std::vector<int64_t> rows, double validation_fraction,
                uint64_t seed);
// `values` in another order.
void Shuffle(std::vector<int64_t>& values, RandomStream& random);

// All rows, scaled; row numbers stay as they are. `log_determinants` [n] gets
// log|dv/dtheta|. InvalidArgument where a parameter lies outside of the space.
absl::StatusOr<TrainingRows> ScaleRows(const Model& model,
                                       const TrainingData& data,
                                       const TrainingLoss& loss,
                                       std::vector<double>& log_determinants);

}  // namespace somafit
