#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/model.h"
#include "server/inference/trained_estimator.h"

namespace somafit {

// What a TrainedEstimator consists of.
struct EstimatorParts {
  std::shared_ptr<const Model> model;
  Weights weights;

  // The prepared context of the x that was asked for last.
  mutable std::mutex mutex;
  mutable std::vector<double> last_x;
  mutable at::Tensor last_prepared;
};

// `flat` on the model's device, not shared with anybody who changes it.
std::unique_ptr<TrainedEstimator> MakeTrainedEstimator(
    std::shared_ptr<const Model> model, const at::Tensor& flat);

// Rows as a float32 matrix on the device.
at::Tensor ScaledData(const Model& model, const DataRows& x);

}  // namespace somafit
