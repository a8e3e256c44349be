#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/ir/program.h"
#include "worker/core/objective/feature_terms.h"
#include "worker/core/objective/terms.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

// All that is needed to evaluate points of a fit.
struct Experiment {
  // Parameters in the order of a point's coordinates; outputs are those of the
  // dataset, then errors in the model language, or what is recorded.
  Program program;
  std::shared_ptr<const Dataset> dataset;
  // Of the total error; none where features are wanted or traces are recorded.
  std::vector<Term> terms;
  // Observes the penalty, with the states of `program`.
  std::optional<Program> penalty = {};
  // Of an inference, in place of terms.
  std::vector<FeatureTerm> features = {};
  // Where features are raw traces: what x has of which trace.
  XColumns raw_columns = {};
};

// Compiles `source` for the channels of `dataset` at time step `dt` [s].
// `parameter_names` are the model's parameters, all of them, in the order of a
// point's coordinates. The terms of the error are those of MakeTerms, or there
// are none but `features`, those of MakeFeatures. InvalidArgument says, a line
// each, what is wrong with model, metrics, features or penalty, or that a trace
// has another time step, or that there are metrics or a penalty beside
// features.
absl::StatusOr<Experiment> MakeExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, std::vector<std::string> parameter_names,
    std::vector<MetricSpec> metrics, const std::string& penalty = "",
    std::vector<FeatureSpec> features = {});

// The same for recording `recorded`, variables of the model, in place of
// comparing: the program steps to the bit as MakeExperiment's does; of
// `metrics` errors in the model language matter. InvalidArgument for a name
// that the model does not have.
absl::StatusOr<Experiment> MakeRecordingExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, const std::vector<std::string>& parameter_names,
    const std::vector<std::string>& recorded,
    const std::vector<MetricSpec>& metrics = {});

// The model alone, observing `outputs`.
absl::StatusOr<Program> MakeProgram(
    const ModelSource& source, const std::vector<Channel>& inputs,
    const std::vector<Channel>& outputs, double dt,
    const std::vector<std::string>& parameter_names);

}  // namespace somafit
