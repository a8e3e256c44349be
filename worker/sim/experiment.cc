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

// The metric of one output; nullptr after an error.
std::unique_ptr<Metric> MakeMetric(const MetricSpec& spec,
                                   const std::string& field, size_t output,
                                   const Dataset& dataset, double dt,
                                   Diagnostics& diagnostics) {
  std::string problem, hint;
  const MetricEntry* const entry =
      ChooseMetric(spec.metric, dataset.outputs[output].name, &problem, &hint);
  if (entry == nullptr) {
    diagnostics.FieldError("E_OPTION", absl::StrCat(field, ".metric"), problem,
                           hint);
    return nullptr;
  }
  Diagnostics mistakes;
  MetricConfig config;
  config.dt = dt;
  config.t_weights = spec.t_weights;
  config.options =
      ReadOptions(spec.options, entry->options, absl::StrCat(field, ".options"),
                  dataset.outputs[output].dimension, mistakes);
  diagnostics.Append(mistakes);
  if (mistakes.HasErrors()) return nullptr;
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const absl::Status status =
        ValidateMetric(*entry, config, dataset.traces[i].targets[output]);
    if (status.ok()) continue;
    diagnostics.FieldError(
        "E_OPTION", field,
        absl::StrCat("trace ", i, ": ", std::string(status.message())));
    return nullptr;
  }
  std::unique_ptr<Metric> metric = entry->make(config);
  const bool counted = std::any_of(
      dataset.traces.begin(), dataset.traces.end(), [&](const Trace& trace) {
        return metric->CountedSteps(trace.targets[output]) > 0;
      });
  if (!counted) {
    diagnostics.FieldError(
        "E_OPTION", field,
        absl::StrCat("output \"", spec.output, "\" has no target that counts"),
        "Give a target, or let more of it count.");
    return nullptr;
  }
  return metric;
}

std::vector<std::unique_ptr<Metric>> MakeMetrics(
    const std::vector<MetricSpec>& specs, const Dataset& dataset, double dt,
    Diagnostics& diagnostics) {
  std::vector<std::unique_ptr<Metric>> metrics(dataset.outputs.size());
  std::vector<bool> named(dataset.outputs.size(), false);
  for (const MetricSpec& spec : specs) {
    const auto channel =
        std::find_if(dataset.outputs.begin(), dataset.outputs.end(),
                     [&](const Channel& c) { return c.name == spec.output; });
    const std::string field = absl::StrCat("metrics.", spec.output);
    if (channel == dataset.outputs.end()) {
      diagnostics.FieldError(
          "E_OPTION", field,
          absl::StrCat("the dataset has no output \"", spec.output, "\""),
          "Name one of the dataset's outputs.");
      continue;
    }
    const auto output = static_cast<size_t>(channel - dataset.outputs.begin());
    if (named[output]) {
      diagnostics.FieldError(
          "E_OPTION", field,
          absl::StrCat("output \"", spec.output, "\" has two metrics"),
          "Give one metric per output.");
      continue;
    }
    named[output] = true;
    metrics[output] = MakeMetric(spec, field, output, dataset, dt, diagnostics);
  }
  for (size_t output = 0; output < metrics.size(); ++output) {
    if (named[output]) continue;
    MetricSpec spec;
    spec.output = dataset.outputs[output].name;
    metrics[output] = MakeMetric(spec, absl::StrCat("metrics.", spec.output),
                                 output, dataset, dt, diagnostics);
  }
  return metrics;
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
    std::vector<MetricSpec> metrics) {
  Experiment experiment;
  SOMAFIT_ASSIGN_OR_RETURN(
      experiment.program, MakeProgram(source, dataset->inputs, dataset->outputs,
                                      dt, parameter_names));
  SOMAFIT_RETURN_IF_ERROR(CheckTimeSteps(*dataset, dt));
  Diagnostics diagnostics;
  experiment.metrics = MakeMetrics(metrics, *dataset, dt, diagnostics);
  SOMAFIT_RETURN_IF_ERROR(diagnostics.ToStatus());
  experiment.dataset = std::move(dataset);
  return experiment;
}

absl::StatusOr<Experiment> MakeRecordingExperiment(
    const ModelSource& source, std::shared_ptr<const Dataset> dataset,
    double dt, const std::vector<std::string>& parameter_names,
    const std::vector<std::string>& recorded) {
  Diagnostics diagnostics;
  const std::optional<Model> model =
      CompileModel(source, dataset->inputs, dataset->outputs, diagnostics);
  if (!model.has_value()) return diagnostics.ToStatus();
  std::vector<std::string> fitted;
  for (const Channel& output : dataset->outputs) fitted.push_back(output.name);
  std::optional<Program> program =
      CompileRecording(*model, dt, fitted, recorded, diagnostics);
  if (!program.has_value()) return diagnostics.ToStatus();
  SOMAFIT_RETURN_IF_ERROR(OrderParameters(parameter_names, *program));
  SOMAFIT_RETURN_IF_ERROR(CheckTimeSteps(*dataset, dt));
  Experiment experiment;
  experiment.program = *std::move(program);
  experiment.dataset = std::move(dataset);
  return experiment;
}

}  // namespace somafit
