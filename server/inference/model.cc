#include "server/inference/model.h"

#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {

absl::StatusOr<std::unique_ptr<Model>> MakeModel(const EstimatorSpec& spec,
                                                 const at::Device& device) {
  SOMAFIT_RETURN_IF_ERROR(CheckEstimatorSpec(spec));
  auto model = std::make_unique<Model>();
  model->spec = spec;
  model->device = device;
  SOMAFIT_ASSIGN_OR_RETURN(model->embedding,
                           MakeEmbedding(spec, device, model->layout));
  NetShape shape;
  shape.n_parameters = static_cast<int64_t>(spec.n_parameters());
  shape.n_context = model->embedding ? model->embedding->n_outputs()
                                     : static_cast<int64_t>(spec.n_features());
  model->net = MakeNet(spec.net, shape, spec.options, model->layout);
  if (model->layout.too_large()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the estimator would have more than ", kMaxWeights,
                     " weights: choose smaller layers"));
  }
  return model;
}

at::Tensor Model::InitialWeights(uint64_t seed) const {
  at::Tensor flat = layout.Initial(seed);
  if (embedding) embedding->Initialize(Weights(layout, flat));
  return flat.to(device);
}

absl::Status CheckData(const Model& model, const DataRows& x) {
  const size_t e = model.spec.n_features();
  const size_t n_trials =
      model.embedding ? static_cast<size_t>(model.embedding->n_trials()) : 0;
  const size_t part = n_trials > 0 ? e / n_trials : e;
  size_t n_present = 0;
  for (size_t begin = 0; begin < x.size(); begin += part) {
    size_t n_finite = 0, n_nan = 0;
    for (size_t i = begin; i < begin + part; ++i) {
      n_finite += std::isfinite(x[i]) ? 1 : 0;
      n_nan += std::isnan(x[i]) ? 1 : 0;
    }
    n_present += n_finite == part ? 1 : 0;
    const bool missing = n_trials > 0 && n_nan == part;
    if (n_finite != part && !missing) {
      return absl::InvalidArgumentError(absl::StrCat(
          "row ", begin / e, " of the data has numbers that are not finite"));
    }
    if ((begin + part) % e == 0) {
      if (n_present == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("row ", begin / e, " of the data has no trial"));
      }
      n_present = 0;
    }
  }
  return absl::OkStatus();
}

}  // namespace somafit
