#include "server/rpc/planning.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"

#include "server/rpc/arguments.h"
#include "server/rpc/parts.h"
#include "server/rpc/view.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/ir/recording.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

// A message has at most 16 MiB; the rest is for what surrounds the numbers.
constexpr size_t kMaxRoundBytes = size_t{15} << 20;
// In place of the column of a parameter that has a value of its own.
constexpr size_t kFixed = std::numeric_limits<size_t>::max();

}  // namespace

absl::StatusOr<FitPlan> PlanOf(const FitSpec& spec,
                               const std::string& model_hash,
                               DatasetShelf& datasets, std::string* warnings) {
  Diagnostics diagnostics;
  std::optional<FitPlan> plan;
  if (HasOwnSimulator(spec)) {
    plan = ResolveOwnPlan(spec, model_hash, diagnostics);
  } else {
    SOMAFIT_ASSIGN_OR_RETURN(const auto dataset,
                             datasets.Decoded(spec.dataset));
    plan = ResolvePlan(spec, model_hash, *dataset, diagnostics);
  }
  SOMAFIT_RETURN_IF_ERROR(ToStatusWithDetails(diagnostics));
  if (!plan) return absl::InternalError("no plan and no diagnostics");
  if (warnings != nullptr) *warnings = diagnostics.Render();
  return *std::move(plan);
}

absl::Status CheckMessageSizes(const FitPlan& plan, int64_t n_samples,
                               const std::string& field) {
  const size_t one = SampleBytes(plan.space.size(), plan.outputs.size());
  const auto most = static_cast<int64_t>(kMaxRoundBytes / one);
  if (n_samples > most) {
    return BadField(field,
                    absl::StrCat("is ", n_samples, "; with ", plan.space.size(),
                                 " parameters and ", plan.outputs.size(),
                                 " outputs a round of at most ", most,
                                 " samples fits into one message of 16 MiB"),
                    "ROUND_TOO_LARGE");
  }
  const size_t errors = plan.outputs.size() * plan.n_traces;
  if (errors * 8 > kMaxRoundBytes / 2) {
    return BadField(
        "dataset",
        absl::StrCat("has ", plan.outputs.size(), " outputs and ",
                     plan.n_traces, " traces; at most ", kMaxRoundBytes / 16,
                     " errors per sample fit into one message"),
        "DATASET_TOO_LARGE");
  }
  return absl::OkStatus();
}

absl::StatusOr<FitRecord> FindInference(ServerParts& parts,
                                        const std::string& resource) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name, FitNameOf(resource));
  absl::StatusOr<FitRecord> fit = absl::NotFoundError("");
  parts.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
    fit = coordinator.GetFit(name, ReadClock());
  });
  SOMAFIT_RETURN_IF_ERROR(fit.status());
  if (fit->spec.inference) return fit;
  return absl::FailedPreconditionError(absl::StrCat(
      "fits/", name, " is a fit, which has no posterior; submit an inference"));
}

absl::Status CheckNumbersOfX(const FitPlan& plan) {
  if (!plan.inference || plan.spec.inference->simulator) {
    return absl::OkStatus();
  }
  const auto excess = TooManyNumbers(*plan.inference, plan.inference->n_rounds,
                                     plan.spec.n_samples);
  if (!excess) return absl::OkStatus();
  return BadField("n_samples", absl::StrCat("is too large: ", *excess,
                                            "; take fewer samples, or fewer "
                                            "features"));
}

absl::StatusOr<std::vector<std::vector<double>>> PointsOf(
    const google::protobuf::RepeatedPtrField<std::string>& parameters,
    const google::protobuf::RepeatedField<double>& given_points,
    const FitPlan& plan) {
  const size_t n = plan.space.size();
  std::map<std::string, size_t> columns;  // name -> column of the request
  for (int i = 0; i < parameters.size(); ++i) {
    if (!columns.emplace(parameters[i], i).second) {
      return BadField("parameters",
                      absl::StrCat("\"", parameters[i],
                                   "\" is given twice; give each once"));
    }
  }
  std::vector<size_t> order;
  std::vector<std::string> names;
  for (const Parameter& parameter : plan.space.parameters()) {
    names.push_back(parameter.name);
    const auto found = columns.find(parameter.name);
    if (found == columns.end() && parameter.fixed()) {
      order.push_back(kFixed);
      continue;
    }
    if (found == columns.end()) {
      return BadField("parameters",
                      absl::StrCat("\"", parameter.name,
                                   "\" is missing; give each parameter of the "
                                   "fit once"));
    }
    order.push_back(found->second);
  }
  for (const auto& [name, column] : columns) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = NearestWord(name, names);
    return BadField(
        "parameters",
        absl::StrCat("\"", name, "\" is not a parameter of the fit",
                     near.empty()
                         ? "; remove it"
                         : absl::StrCat("; did you mean \"", near, "\"?")));
  }
  const auto given = static_cast<size_t>(given_points.size());
  const size_t n_columns = columns.size();
  if (given == 0 || n_columns == 0 || given % n_columns != 0) {
    return BadField(
        "points",
        absl::StrCat("has ", given, " numbers; give a positive multiple of ",
                     n_columns, ", one row a point"),
        "SHAPE_MISMATCH");
  }
  std::vector<std::vector<double>> points(given / n_columns,
                                          std::vector<double>(n));
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t k = 0; k < n; ++k) {
      if (order[k] == kFixed) {
        points[i][k] = plan.space.parameters()[k].lower;
        continue;
      }
      const double value =
          given_points[static_cast<int>(i * n_columns + order[k])];
      if (!std::isfinite(value)) {
        return BadField("points",
                        absl::StrCat("point ", i, " has ", names[k], " = ",
                                     ShortestText(value),
                                     "; points are finite numbers in SI"));
      }
      points[i][k] = value;
    }
  }
  return points;
}

absl::StatusOr<PlannedRecording> RecordingOf(
    const FitPlan& plan, const std::vector<std::string>& names,
    DatasetShelf& datasets) {
  SOMAFIT_ASSIGN_OR_RETURN(const auto dataset,
                           datasets.Decoded(plan.spec.dataset));
  Diagnostics diagnostics;
  const std::vector<ErrorExpression> expressions =
      ErrorExpressions(plan.metrics, diagnostics);
  const std::vector<Channel> observed =
      Observed(*dataset, expressions, diagnostics);
  const std::optional<Model> model =
      CompileModel(WithErrorExpressions(plan.spec.model, expressions),
                   dataset->inputs, observed, diagnostics);
  if (model) {
    std::vector<std::string> fitted;
    for (const Channel& output : observed) fitted.push_back(output.name);
    CompileRecording(*model, plan.dt, fitted, names, diagnostics);
  }
  SOMAFIT_RETURN_IF_ERROR(ToStatusWithDetails(diagnostics));
  PlannedRecording recording;
  const std::vector<Channel> known = RecordableVariables(*model);
  for (const std::string& name : names) {
    recording.variables.push_back(
        *std::find_if(known.begin(), known.end(),
                      [&](const Channel& each) { return each.name == name; }));
  }
  recording.shape = ShapeOf(*dataset, names.size());
  return recording;
}

}  // namespace somafit
