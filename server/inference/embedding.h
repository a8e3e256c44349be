#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/estimator_spec.h"
#include "server/inference/parameters.h"

namespace somafit {

// Turns z-scored data into a context, with weights that come with each call.
// Thread-safe.
class Embedding {
 public:
  virtual ~Embedding() = default;
  virtual int64_t n_outputs() const = 0;  // C
  // [n x E] -> [n x C].
  virtual at::Tensor Forward(const Weights& w, const at::Tensor& x) const = 0;
  // How many trials lie in a row of x one after the other; 0: there are none.
  virtual int64_t n_trials() const { return 0; }
  // Overwrites the layout's initial values where the embedding brings its own.
  virtual void Initialize(const Weights&) const {}
};

// The embedding that a spec declares; null where the data themselves are the
// context. InvalidArgument names the layer that does not fit what comes in, or
// what is wrong with a TorchScript module. `device` is where it will run.
absl::StatusOr<std::unique_ptr<Embedding>> MakeEmbedding(
    const EstimatorSpec& spec, const at::Device& device,
    ParameterLayout& layout);

// Its parts: one file each.
absl::StatusOr<std::unique_ptr<Embedding>> MakeLayerEmbedding(
    const std::vector<EmbeddingLayer>& layers,
    const std::vector<int64_t>& x_shape, ParameterLayout& layout);
absl::StatusOr<std::unique_ptr<Embedding>> MakeScriptEmbedding(
    const std::string& torch_script, const std::vector<int64_t>& x_shape,
    const at::Device& device, ParameterLayout& layout);

}  // namespace somafit
