// What an inference looks at: the columns of x, and the observation.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/posterior/embedding_layers.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/objective/feature_terms.h"
#include "worker/core/objective/raw_traces.h"

namespace somafit {
namespace {

// What workers report, files hold and a trainer keeps in memory.
void CheckRaw(const FitSpec& spec, const InferencePlan& plan,
              Diagnostics& diagnostics) {
  if (!spec.inference->training.calibration_kernel.empty()) {
    diagnostics.FieldError(
        "E_INFERENCE", "inference.training.calibration_kernel",
        "kernels measure how far features are from the observation, and steps "
        "of raw traces are none",
        "leave it out, or give features");
  }
  const auto excess = TooManyNumbers(plan, plan.n_rounds, spec.n_samples);
  if (!excess) return;
  diagnostics.FieldError(
      "E_LIMIT", "inference.features", *excess,
      "take one of `every` so many steps, a shorter window (t_start, t_end), "
      "fewer samples, or features");
}

}  // namespace

std::optional<std::string> TooManyNumbers(const InferencePlan& plan,
                                          int64_t rounds, int64_t n_samples) {
  const auto columns = static_cast<int64_t>(plan.columns.size());
  rounds = std::clamp<int64_t>(rounds, 1, kMaxInferenceRounds);
  n_samples = std::clamp<int64_t>(n_samples, 1, kMaxSamplesPerRound);
  const int64_t rows = rounds * n_samples;
  if (columns <= kMaxNumbersOfX / rows) return std::nullopt;
  return absl::StrCat(n_samples, " samples in ", rounds,
                      rounds == 1 ? " round" : " rounds", " have ",
                      columns * rows, " numbers of ",
                      plan.columns.raw() ? "raw traces" : "features", ", ",
                      columns, " each; at most ", kMaxNumbersOfX);
}

void CheckEmbedding(const DensityEstimatorSpec& estimator, size_t n_columns,
                    Diagnostics& diagnostics) {
  Diagnostics found;
  ReadEmbedding(estimator, n_columns, found);
  for (Diagnostic mistake : found.all()) {
    mistake.field = "inference." + mistake.field;
    diagnostics.Keep(std::move(mistake));
  }
}

void TakeObservation(const std::vector<double>& given, InferencePlan& plan,
                     Diagnostics& diagnostics) {
  const XColumns& columns = plan.columns;
  plan.observation = given;
  if (given.size() != columns.size()) {
    diagnostics.FieldError(
        "E_SHAPE", "inference.observation",
        absl::StrCat("there are ", given.size(), " numbers, but x has ",
                     columns.size(), " columns: ", columns.NameOf(0), " to ",
                     columns.NameOf(columns.size() - 1)),
        "give one for each, or none");
    return;
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (columns.raw()) plan.observation[i] = RawNumber(given[i]);
    if (std::isfinite(plan.observation[i])) continue;
    diagnostics.FieldError(
        "E_RANGE", "inference.observation",
        absl::StrCat(columns.NameOf(i), " is ", ShortestText(given[i])),
        "give finite numbers");
    if (diagnostics.full()) return;
  }
}

void CheckFeatures(FitSpec& spec, const Dataset& dataset,
                   std::optional<double> dt, InferencePlan& plan,
                   Diagnostics& diagnostics) {
  Diagnostics found;
  InferenceSpec& inference = *spec.inference;
  if (inference.features.empty()) {
    inference.features = TracesOfOutputs(dataset, found);
  }
  std::vector<FeatureTerm> terms;
  if (!found.HasErrors()) {
    terms = MakeFeatures(inference.features, dataset, dt, found);
  }
  const bool ok = !found.HasErrors() && !terms.empty();
  diagnostics.Append(found);
  if (ok && AreRawTraces(terms)) {
    plan.columns = RawColumns(terms, dataset);
  } else if (ok) {
    std::vector<std::string> names;
    for (const FeatureTerm& term : terms) {
      plan.features.push_back({term.name, term.dimension});
    }
    for (const FeatureColumn& column : FeatureColumns(terms, dataset)) {
      names.push_back(column.name);
      plan.order.push_back(column.feature * dataset.traces.size() +
                           column.trace);
    }
    plan.columns = XColumns(std::move(names));
  }
  CheckEmbedding(inference.estimator, plan.columns.size(), diagnostics);
  if (plan.columns.size() == 0) return;
  if (plan.columns.raw()) CheckRaw(spec, plan, diagnostics);
  if (!inference.observation.empty()) {
    TakeObservation(inference.observation, plan, diagnostics);
  } else if (plan.columns.raw()) {
    plan.observation = ObserveTraces(plan.columns, dataset);
    CheckTraces(plan.columns, plan.observation, diagnostics);
  } else {
    plan.observation = ObserveFeatures(terms, dataset);
    CheckObservation(terms, dataset, plan.observation, diagnostics);
  }
}

}  // namespace somafit
