#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/data_rows.h"
#include "server/inference/embedding.h"
#include "server/inference/net.h"
#include "server/inference/scaling.h"

namespace somafit {

// An estimator without its weights. Immutable once its scales are set.
struct Model {
  EstimatorSpec spec;
  at::Device device = at::kCPU;
  ThetaMap theta_map;
  DataMap data_map;
  ParameterLayout layout;
  std::unique_ptr<Embedding> embedding;  // null: x is the context
  std::unique_ptr<Net> net;

  // x [n x E], scaled -> what the net takes as prepared.
  at::Tensor Prepare(const Weights& w, const at::Tensor& x) const {
    return net->Prepare(w, embedding ? embedding->Forward(w, x) : x);
  }
  // The flat weights at the start, on the device.
  at::Tensor InitialWeights(uint64_t seed) const;
};

// InvalidArgument for a spec that nothing can be made from. The scales are yet
// to be set.
absl::StatusOr<std::unique_ptr<Model>> MakeModel(const EstimatorSpec& spec,
                                                 const at::Device& device);

// InvalidArgument where rows of x [n x E] are not finite; with trials, one may
// be NaN throughout (missing), but not all.
absl::Status CheckData(const Model& model, const DataRows& x);

}  // namespace somafit
