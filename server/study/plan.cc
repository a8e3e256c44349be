#include "server/study/plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/study/inference_plan.h"
#include "server/study/plan_check.h"
#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/lower.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(std::string(text.substr(0, 80))),
                      "\"");
}

// A text that must be a quantity above 0; nullopt after an error.
std::optional<double> PositiveQuantity(const std::string& field,
                                       const std::string& text,
                                       const Dimension& dimension,
                                       Diagnostics& diagnostics) {
  const Source source{field, text};
  const std::optional<double> value =
      EvaluateQuantityOf(source, dimension, diagnostics);
  if (!value) return std::nullopt;
  if (!(*value > 0) || !std::isfinite(*value)) {
    diagnostics.Error("E_RANGE", source, {0, text.size()},
                      absl::StrCat(field, " is ", ShortestText(*value),
                                   " in SI; it must be finite and above 0"));
    return std::nullopt;
  }
  return value;
}

std::optional<double> CheckTimeStep(const FitSpec& spec, const Dataset& dataset,
                                    Diagnostics& diagnostics) {
  if (spec.dt.empty()) {
    diagnostics.FieldError("E_MISSING", "dt", "dt is missing",
                           "give the time between samples, e.g. \"0.01*ms\"");
    return std::nullopt;
  }
  const std::optional<double> dt =
      PositiveQuantity("dt", spec.dt, kTimeDimension, diagnostics);
  if (!dt) return std::nullopt;
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const double recorded = dataset.traces[i].dt;
    if (std::abs(recorded - *dt) <= 1e-9 * *dt) continue;
    diagnostics.FieldError(
        "E_DT", "dt",
        absl::StrCat("dt is ", ShortestText(*dt), " s, but trace ", i,
                     " was sampled every ", ShortestText(recorded), " s"),
        "all traces and the simulation share one dt");
    return std::nullopt;
  }
  return dt;
}

void CheckOptimizer(OptimizerSpec& optimizer, Diagnostics& diagnostics) {
  if (optimizer.name.empty()) optimizer.name = "de";
  const OptimizerEntry* const entry = FindOptimizer(optimizer.name);
  if (entry == nullptr) {
    std::vector<std::string> names;
    for (const OptimizerEntry* known : AllOptimizers()) {
      names.emplace_back(known->name);
    }
    diagnostics.FieldError(
        "E_OPTIMIZER", "optimizer.name",
        absl::StrCat("there is no optimizer ", Quoted(optimizer.name)),
        absl::StrCat("known are: ", absl::StrJoin(names, ", ")));
    return;
  }
  ReadOptions(optimizer.options, entry->options, "optimizer.options",
              kNoDimension, diagnostics);
}

std::optional<double> CheckTarget(const std::string& text,
                                  const std::optional<Dimension>& dimension,
                                  Diagnostics& diagnostics) {
  const Source source{"stop.target", text};
  const std::optional<Quantity> target =
      EvaluateQuantity(source, {}, diagnostics);
  if (!target) return std::nullopt;
  if (std::isnan(target->value)) {
    diagnostics.Error("E_RANGE", source, {0, text.size()},
                      "the target is not a number");
    return std::nullopt;
  }
  if (dimension && !target->dimension.IsNone() &&
      !(target->dimension == *dimension)) {
    diagnostics.Error(
        "E_DIM", source, {0, text.size()},
        absl::StrCat("the target is in ", UnitExpression(target->dimension),
                     ", but the total error is in ",
                     UnitExpression(*dimension)),
        "give it in the error's unit, or as a plain SI number");
    return std::nullopt;
  }
  return target->value;
}

StopRules CheckStop(const StopSpec& stop,
                    const std::optional<Dimension>& error_dimension,
                    Diagnostics& diagnostics) {
  StopRules rules;
  if (stop.rounds) {
    if (*stop.rounds < 0 || *stop.rounds > kMaxStopRounds) {
      diagnostics.FieldError("E_RANGE", "stop.rounds",
                             absl::StrCat("stop.rounds is ", *stop.rounds,
                                          "; it must be 0 to 4e9"));
    }
    rules.rounds = stop.rounds;
  }
  if (stop.evaluations) {
    if (*stop.evaluations < 1 || *stop.evaluations > kMaxStopEvaluations) {
      diagnostics.FieldError(
          "E_RANGE", "stop.evaluations",
          absl::StrCat("stop.evaluations is ", *stop.evaluations,
                       "; it must be at least 1 and at most 4e14"));
    }
    rules.evaluations = stop.evaluations;
  }
  if (!stop.target.empty()) {
    rules.target = CheckTarget(stop.target, error_dimension, diagnostics);
  }
  if (!stop.time.empty()) {
    rules.elapsed_s =
        PositiveQuantity("stop.time", stop.time, kTimeDimension, diagnostics);
  }
  if (!stop.rounds && !stop.evaluations && stop.target.empty() &&
      stop.time.empty()) {
    diagnostics.FieldError("E_STOP", "stop", "nothing would end the fit",
                           "give rounds, evaluations, target or time");
  }
  return rules;
}

}  // namespace

bool IsFitName(std::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  if (name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool RoundFitsIntoEvent(int64_t n_samples, size_t n_parameters,
                        size_t n_outputs) {
  constexpr int64_t kEventBytes = int64_t{12} << 20;
  const auto row_bytes =
      static_cast<int64_t>(8 * (n_parameters + 2 * n_outputs + 4));
  return n_samples <= kEventBytes / row_bytes;
}

std::optional<FitPlan> ResolvePlan(const FitSpec& spec,
                                   const std::string& model_hash,
                                   const Dataset& dataset,
                                   Diagnostics& diagnostics) {
  Diagnostics found;
  FitPlan plan;
  plan.spec = spec;
  plan.model_hash = model_hash;
  plan.n_traces = dataset.traces.size();
  CheckNames(plan.spec, found);
  if (dataset.outputs.empty() || dataset.traces.empty()) {
    found.FieldError("E_DATA", "dataset",
                     "the dataset has no output traces to compare with",
                     "upload recordings of at least one variable");
  }
  const std::optional<double> dt = CheckTimeStep(spec, dataset, found);
  // Errors in the model language are further variables of the model.
  const std::vector<ErrorExpression> expressions =
      ErrorExpressions(spec.metrics, found);
  const std::vector<Channel> observed = Observed(dataset, expressions, found);
  const std::optional<Model> model =
      CompileModel(WithErrorExpressions(spec.model, expressions),
                   dataset.inputs, observed, found);
  auto inference = std::make_shared<InferencePlan>();
  if (spec.inference) {
    CheckInference(plan.spec, *inference, found);
    CheckFeatures(plan.spec, dataset, dt, *inference, found);
  }
  if (model) {
    ParameterPlan parameters =
        spec.inference ? CheckPriors(spec, *model, *inference, found)
                       : CheckParameters(spec, *model, found);
    plan.space = std::move(parameters.space);
    plan.starts = std::move(parameters.starts);
  }
  std::optional<ErrorPlan> error;
  if (spec.inference) {
    error = ErrorPlan{.terms = inference->features, .dimension = kNoDimension};
  } else {
    error = CheckMetrics(plan.spec.metrics, dataset, dt, found);
  }
  std::optional<Dimension> error_dimension;
  if (error) error_dimension = error->dimension;
  if (model && dt) {
    std::vector<std::string> outputs;
    for (const Channel& output : observed) outputs.push_back(output.name);
    const bool compiled =
        CompileProgram(*model, *dt, outputs, found).has_value();
    if (!compiled && !found.HasErrors()) {
      found.FieldError("E_INTERNAL", "model",
                       "the model was refused without a reason");
    }
    if (compiled) {
      CheckPenalty(spec, *model, *dt, outputs, error_dimension, found);
    }
  }
  CheckCounts(plan.spec, error ? error->terms.size() : 0, found);
  if (!spec.inference) {
    CheckOptimizer(plan.spec.optimizer, found);
    CheckAbandoning(plan.spec, error ? &*error : nullptr, found);
  }
  plan.stop = CheckStop(plan.spec.stop, error_dimension, found);
  // Samples are a table of plain columns, of which SQLite has 2000 at most.
  constexpr size_t kMaxColumns = 1900;
  const size_t n_columns =
      plan.space.size() +
      (error ? error->terms.size() * (spec.inference ? 1 : 2) : 0);
  if (n_columns > kMaxColumns) {
    found.FieldError("E_LIMIT",
                     spec.inference ? "inference.features" : "metrics",
                     absl::StrCat("a sample would have ", n_columns,
                                  " columns; at most ", kMaxColumns),
                     "compare or look at less");
  }
  diagnostics.Append(found);
  if (found.HasErrors() || !model || !dt || !error_dimension) {
    if (!found.HasErrors()) {
      diagnostics.FieldError("E_INTERNAL", "",
                             "the fit was refused without a reason");
    }
    return std::nullopt;
  }
  plan.dt = *dt;
  plan.metrics = plan.spec.metrics;
  plan.outputs = error->terms;
  plan.error_dimension = *error_dimension;
  if (spec.inference) plan.inference = std::move(inference);
  return plan;
}

std::unique_ptr<Optimizer> MakeOptimizer(const FitPlan& plan) {
  const OptimizerEntry* const entry = FindOptimizer(plan.spec.optimizer.name);
  SOMAFIT_CHECK(entry != nullptr);
  Diagnostics checked_before;
  OptimizerConfig config;
  config.dimensions = plan.space.free().size();
  config.options =
      ReadOptions(plan.spec.optimizer.options, entry->options,
                  "optimizer.options", kNoDimension, checked_before);
  return entry->make(config);
}

}  // namespace somafit
