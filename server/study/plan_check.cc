#include "server/study/plan_check.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "server/optimizer/optimizer.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/recording.h"
#include "worker/core/lang/parameters.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

std::string Shown(std::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(std::string(text.substr(0, 80))),
                      "\"");
}

}  // namespace

void CheckNames(FitSpec& spec, Diagnostics& diagnostics) {
  if (!spec.name.empty() && !IsFitName(spec.name)) {
    diagnostics.FieldError("E_NAME", "name",
                           absl::StrCat(Shown(spec.name), " cannot name a fit"),
                           std::string(kFitNameRule));
  }
  if (spec.label.empty()) spec.label = "fit";
  constexpr size_t kLongestLabel = 48;  // leaves room for "-<n>"
  if (!IsFitName(spec.label) || spec.label.size() > kLongestLabel) {
    diagnostics.FieldError(
        "E_NAME", "label",
        absl::StrCat(Shown(spec.label), " cannot be a fit's label"),
        absl::StrCat(std::string(kFitNameRule), "; a label has at most ",
                     kLongestLabel));
  }
}

void CheckCounts(FitSpec& spec, size_t n_outputs, Diagnostics& diagnostics) {
  if (spec.n_samples < 1 || spec.n_samples > kMaxSamplesPerRound) {
    diagnostics.FieldError(
        "E_RANGE", "n_samples",
        absl::StrCat("n_samples is ", spec.n_samples, "; it must be 1 to ",
                     kMaxSamplesPerRound));
  } else if (!RoundFitsIntoEvent(spec.n_samples, spec.parameters.size(),
                                 n_outputs)) {
    diagnostics.FieldError(
        "E_LIMIT", "n_samples",
        absl::StrCat("a round of ", spec.n_samples, " samples with ",
                     spec.parameters.size(), " parameters and ", n_outputs,
                     " outputs is larger than 12 MiB"),
        "draw fewer samples in more rounds");
  }
  const GateSpec& gate = spec.gate;
  if (!(gate.timeout_s > 0) || !std::isfinite(gate.timeout_s)) {
    diagnostics.FieldError(
        "E_RANGE", "gate.timeout_seconds",
        absl::StrCat("the gate's timeout is ", ShortestText(gate.timeout_s),
                     " s; it must be finite and above 0"));
  }
  const ExecutionSpec& execution = spec.execution;
  if (!(execution.task_timeout_s > 0) ||
      !std::isfinite(execution.task_timeout_s)) {
    diagnostics.FieldError("E_RANGE", "execution.task_timeout_seconds",
                           absl::StrCat("the task timeout is ",
                                        ShortestText(execution.task_timeout_s),
                                        " s; it must be finite and above 0"));
  }
  if (execution.max_attempts < 1 || execution.max_attempts > kMaxAttempts) {
    diagnostics.FieldError(
        "E_RANGE", "execution.max_attempts",
        absl::StrCat("max_attempts is ", execution.max_attempts,
                     "; it must be 1 to ", kMaxAttempts));
  }
}

std::optional<ErrorPlan> CheckMetrics(std::vector<MetricSpec>& metrics,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics) {
  Diagnostics found;
  const std::vector<Term> terms = MakeTerms(metrics, dataset, dt, found);
  ErrorPlan plan;
  for (const Term& term : terms) {
    plan.terms.push_back({term.name, term.output_dimension});
    if (&term == &terms.front()) plan.dimension = term.error_dimension;
    if (term.error_dimension == plan.dimension) continue;
    found.FieldError("E_DIM", absl::StrCat("metrics.", term.name),
                     absl::StrCat("the total error would add ",
                                  UnitExpression(plan.dimension), " of \"",
                                  terms.front().name, "\" and ",
                                  UnitExpression(term.error_dimension),
                                  " of \"", term.name, "\""),
                     "give each output a normalization in its own unit");
  }
  plan.grows = AreMeanSquares(terms, dataset);
  const bool ok = !found.HasErrors() && !terms.empty();
  diagnostics.Append(found);
  if (!ok) return std::nullopt;
  return plan;
}

void CheckAbandoning(const FitSpec& spec, const ErrorPlan* error,
                     Diagnostics& diagnostics) {
  if (!spec.execution.abandon) return;
  const auto refuse = [&](std::string why, const char* hint) {
    diagnostics.FieldError("E_ABANDON", "execution.abandon",
                           "samples cannot be abandoned: " + std::move(why),
                           hint);
  };
  const OptimizerEntry* const optimizer = FindOptimizer(spec.optimizer.name);
  if (optimizer != nullptr && !optimizer->has_limits) {
    refuse(absl::StrCat("the optimizer ", spec.optimizer.name,
                        " learns from errors however large they are"),
           "leave abandon out, or choose \"de\" or \"random\"");
  }
  if (error != nullptr && !error->grows) {
    refuse(
        "the total error is not known to grow from step to step, as one of "
        "mean squares alone does",
        "leave abandon out, or use the metrics \"mse\" and \"rmse\" only");
  }
  if (!spec.penalty.empty()) {
    refuse("a penalty is known after the last step only, and may be negative",
           "leave abandon out, or the penalty");
  }
}

ParameterPlan CheckParameters(const FitSpec& spec, const Model& model,
                              Diagnostics& diagnostics) {
  ParameterPlan plan;
  const size_t n = model.parameters.size();
  if (n == 0) {
    diagnostics.FieldError(
        "E_BOUNDS", "parameters", "the model has no parameters to fit",
        "declare one in the equations, e.g. \"gl : siemens (constant)\"");
  }
  if (n > kMaxParameters) {
    diagnostics.FieldError(
        "E_LIMIT", "parameters",
        absl::StrCat("the model has ", n, " parameters; at most ",
                     kMaxParameters, " can be fitted"));
    return plan;
  }
  ReadParameters read(spec.parameters, model, diagnostics);
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < n; ++i) {
    const ModelVariable& variable = model.parameters[i];
    if (!read.are_given[i]) {
      const std::string unit = UnitExpression(variable.dimension);
      diagnostics.FieldError(
          "E_BOUNDS", absl::StrCat("parameters.", variable.name, ".bounds"),
          absl::StrCat("parameter \"", variable.name, "\" has no bounds"),
          absl::StrCat("say where it may lie, e.g. \"[0, 1] * ", unit,
                       "\" written as \"[0*", unit, ", 1*", unit,
                       "]\", or what it is fixed to"));
    }
    if (read.parameters[i]) parameters.push_back(*read.parameters[i]);
  }
  const bool all_fixed =
      std::all_of(parameters.begin(), parameters.end(),
                  [](const Parameter& each) { return each.fixed(); });
  if (n > 0 && parameters.size() == n && all_fixed) {
    diagnostics.FieldError("E_BOUNDS", "parameters",
                           "all parameters are fixed; nothing is left to fit",
                           "give one of them bounds");
  }
  plan.space = ParameterSpace(std::move(parameters));
  plan.starts = std::move(read.starts);
  return plan;
}

void CheckPenalty(const FitSpec& spec, const Model& model, double dt,
                  const std::vector<std::string>& outputs,
                  const std::optional<Dimension>& error_dimension,
                  Diagnostics& diagnostics) {
  if (spec.penalty.empty()) return;
  Diagnostics mistakes;
  CompileObservation(model, dt, outputs, {spec.penalty}, mistakes);
  for (Diagnostic mistake : mistakes.all()) {
    if (mistake.severity != Severity::kError) continue;
    if (mistake.field == "outputs") mistake.field = "penalty";
    diagnostics.Keep(std::move(mistake));
  }
  if (mistakes.HasErrors() || !error_dimension) return;
  const std::vector<Channel> known = RecordableVariables(model);
  const auto penalty = std::find_if(
      known.begin(), known.end(),
      [&](const Channel& each) { return each.name == spec.penalty; });
  if (penalty == known.end() || penalty->dimension == *error_dimension) return;
  diagnostics.FieldError(
      "E_DIM", "penalty",
      absl::StrCat("the total error is in ", UnitExpression(*error_dimension),
                   ", but the penalty \"", spec.penalty, "\" is in ",
                   UnitExpression(penalty->dimension)),
      "define the penalty in the error's unit, or give the metrics a "
      "normalization that takes the unit out");
}

}  // namespace somafit
