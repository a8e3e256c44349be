#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/ir/program.h"
#include "worker/core/objective/metric.h"

namespace somafit {

// All that is needed to evaluate points of a fit.
struct Experiment {
  Program program;  // parameters in the order of a point's coordinates
  std::shared_ptr<const Dataset> dataset;
  // Per output of the dataset; none where traces are recorded.
  std::vector<std::unique_ptr<Metric>> metrics;
};

// Compiles `source` for the channels of `dataset` at time step `dt` [s].
// `parameter_names` are the model's parameters, all of them, in the order of a
// point's coordinates. An output that `metrics` does not name gets the default
// one. InvalidArgument says, a line each, what is wrong with model or metrics,
// or that a trace has another time step.
absl::StatusOr<Experiment> MakeExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, std::vector<std::string> parameter_names,
    std::vector<MetricSpec> metrics);

// The same for recording `recorded`, variables of the model, in place of
// comparing: the program steps to the bit as MakeExperiment's does.
// InvalidArgument for a name that the model does not have.
absl::StatusOr<Experiment> MakeRecordingExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, const std::vector<std::string>& parameter_names,
    const std::vector<std::string>& recorded);

// The model alone, observing `outputs`.
absl::StatusOr<Program> MakeProgram(
    const ModelSource& source, const std::vector<Channel>& inputs,
    const std::vector<Channel>& outputs, double dt,
    const std::vector<std::string>& parameter_names);

}  // namespace somafit
