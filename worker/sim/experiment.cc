#include "worker/sim/experiment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/ir/lower.h"
#include "worker/core/ir/recording.h"
#include "worker/core/lang/model.h"
#include "worker/core/objective/raw_traces.h"

namespace somafit {
namespace {

// Makes `names` the order of the program's parameters.
absl::Status OrderParameters(const std::vector<std::string>& names,
                             Program& program) {
  std::vector<std::string> sorted = names;
  std::vector<std::string> expected = program.parameters;
  const std::vector<std::string> given(
      expected.end() - std::ssize(program.given), expected.end());
  expected.resize(program.n_own_parameters());
  std::sort(sorted.begin(), sorted.end());
  std::sort(expected.begin(), expected.end());
  if (sorted != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("the parameters given are {", absl::StrJoin(names, ", "),
                     "}, but the model has {", absl::StrJoin(expected, ", "),
                     "}; give each of the model's once"));
  }
  for (Value& value : program.values) {
    if (value.op != Op::kParameter) continue;
    if (std::cmp_greater_equal(value.index, expected.size())) continue;
    const auto place =
        std::find(names.begin(), names.end(), program.parameters[value.index]);
    value.index = static_cast<int32_t>(place - names.begin());
  }
  program.parameters = names;
  program.parameters.insert(program.parameters.end(), given.begin(),
                            given.end());
  return absl::OkStatus();
}

absl::Status CheckTimeSteps(const Dataset& dataset, double dt) {
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const double trace_dt = dataset.traces[i].dt;
    if (std::abs(trace_dt - dt) <= 1e-9 * dt) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("trace ", i, " is sampled every ", ShortestText(trace_dt),
                     " second, but dt is ", ShortestText(dt),
                     " second; simulate with the time step of the recording"));
  }
  return absl::OkStatus();
}

std::vector<std::string> NamesOf(const std::vector<Channel>& channels) {
  std::vector<std::string> names;
  for (const Channel& channel : channels) names.push_back(channel.name);
  return names;
}

// A model with its errors in the model language, and what a fit observes of it.
struct ObservedModel {
  std::optional<Model> model;  // nullopt after an error
  std::vector<Channel> outputs;
};
ObservedModel CompileObserved(const ModelSource& source, const Dataset& dataset,
                              const std::vector<MetricSpec>& metrics,
                              Diagnostics& diagnostics) {
  const std::vector<ErrorExpression> expressions =
      ErrorExpressions(metrics, diagnostics);
  ObservedModel observed;
  observed.outputs = Observed(dataset, expressions, diagnostics);
  observed.model = CompileModel(WithErrorExpressions(source, expressions),
                                dataset.inputs, observed.outputs, diagnostics);
  return observed;
}

}  // namespace

absl::StatusOr<Program> MakeProgram(
    const ModelSource& source, const std::vector<Channel>& inputs,
    const std::vector<Channel>& outputs, double dt,
    const std::vector<std::string>& parameter_names) {
  Diagnostics diagnostics;
  const std::optional<Model> model =
      CompileModel(source, inputs, outputs, diagnostics);
  if (!model.has_value()) return diagnostics.ToStatus();
  std::vector<std::string> output_names;
  for (const Channel& output : outputs) output_names.push_back(output.name);
  std::optional<Program> program =
      CompileProgram(*model, dt, output_names, diagnostics);
  if (!program.has_value()) return diagnostics.ToStatus();
  SOMAFIT_RETURN_IF_ERROR(OrderParameters(parameter_names, *program));
  return *std::move(program);
}

absl::StatusOr<Experiment> MakeExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, std::vector<std::string> parameter_names,
    std::vector<MetricSpec> metrics, const std::string& penalty,
    std::vector<FeatureSpec> features) {
  if (!features.empty() && (!metrics.empty() || !penalty.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("features are wanted in place of errors; leave out ",
                     metrics.empty() ? "the penalty" : "the metrics"));
  }
  Diagnostics diagnostics;
  Experiment experiment;
  const ObservedModel observed =
      CompileObserved(source, *dataset, metrics, diagnostics);
  SOMAFIT_RETURN_IF_ERROR(diagnostics.ToStatus());
  const std::vector<std::string> outputs = NamesOf(observed.outputs);
  std::optional<Program> program =
      CompileProgram(*observed.model, dt, outputs, diagnostics);
  if (!program.has_value()) return diagnostics.ToStatus();
  experiment.program = *std::move(program);
  SOMAFIT_RETURN_IF_ERROR(OrderParameters(parameter_names, experiment.program));
  SOMAFIT_RETURN_IF_ERROR(CheckTimeSteps(*dataset, dt));
  if (!penalty.empty()) {
    experiment.penalty = CompileObservation(*observed.model, dt, outputs,
                                            {penalty}, diagnostics);
    if (!experiment.penalty.has_value()) return diagnostics.ToStatus();
    SOMAFIT_RETURN_IF_ERROR(
        OrderParameters(parameter_names, *experiment.penalty));
  }
  if (features.empty()) {
    experiment.terms = MakeTerms(metrics, *dataset, dt, diagnostics);
  } else {
    experiment.features = MakeFeatures(features, *dataset, dt, diagnostics);
  }
  SOMAFIT_RETURN_IF_ERROR(diagnostics.ToStatus());
  if (AreRawTraces(experiment.features)) {
    experiment.raw_columns = RawColumns(experiment.features, *dataset);
  }
  experiment.dataset = std::move(dataset);
  return experiment;
}

absl::StatusOr<Experiment> MakeRecordingExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, const std::vector<std::string>& parameter_names,
    const std::vector<std::string>& recorded,
    const std::vector<MetricSpec>& metrics) {
  Diagnostics diagnostics;
  const ObservedModel observed =
      CompileObserved(source, *dataset, metrics, diagnostics);
  SOMAFIT_RETURN_IF_ERROR(diagnostics.ToStatus());
  std::optional<Program> program = CompileRecording(
      *observed.model, dt, NamesOf(observed.outputs), recorded, diagnostics);
  if (!program.has_value()) return diagnostics.ToStatus();
  SOMAFIT_RETURN_IF_ERROR(OrderParameters(parameter_names, *program));
  SOMAFIT_RETURN_IF_ERROR(CheckTimeSteps(*dataset, dt));
  Experiment experiment;
  experiment.program = *std::move(program);
  experiment.dataset = std::move(dataset);
  return experiment;
}

}  // namespace somafit
