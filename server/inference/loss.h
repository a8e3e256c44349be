#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/model.h"
#include "server/inference/training.h"

namespace somafit {

// The rows that are trained on, scaled, on the device. What is undefined is not
// needed.
struct TrainingRows {
  at::Tensor v;           // [n x D]
  at::Tensor x;           // [n x E]
  at::Tensor weights;     // [n]; undefined: all 1
  at::Tensor log_offset;  // [n]: log|dv/dtheta| - log p(theta), less its mean
  at::Tensor from_prior;  // [n], 1 or 0
};

// A loss, ready for one model, which it refers to.
class LossFunction {
 public:
  // InvalidArgument where the loss does not go with the model.
  static absl::StatusOr<LossFunction> Make(const Model& model,
                                           const TrainingLoss& loss);

  // The weighted losses [B] of the rows that elements `begin` to begin + B of
  // `pool` name, densities being those of v. Atoms are drawn from the pool.
  // FailedPrecondition where the mixture loss has no number.
  absl::StatusOr<at::Tensor> Rows(const Weights& w, const TrainingRows& rows,
                                  const at::Tensor& pool, int64_t begin,
                                  int64_t batch, RandomStream& random) const;

 private:
  LossFunction(const Model& model, const TrainingLoss& loss)
      : model_(&model), loss_(loss) {}
  at::Tensor Atomic(const Weights& w, const TrainingRows& rows,
                    const at::Tensor& pool, int64_t begin,
                    const at::Tensor& prepared, RandomStream& random) const;
  absl::StatusOr<at::Tensor> Mixture(const Weights& w, const at::Tensor& v,
                                     const at::Tensor& prepared) const;

  const Model* model_;
  TrainingLoss loss_;
  // kMixture: the proposal [L ...] and the prior over v, in double.
  struct {
    at::Tensor log_weights, means, precisions, log_determinants;
    at::Tensor prior_mean, prior_precision;
  } v_space_;
};

// Fills `atoms` with `own` and then others of the numbers below `n_pool`,
// without replacement. REQUIRES: atoms.size() <= n_pool.
void DrawAtoms(int64_t own, int64_t n_pool, std::span<int64_t> atoms,
               RandomStream& random);

}  // namespace somafit
