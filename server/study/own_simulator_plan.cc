// The plan of an inference with a simulator of the user's own.
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "server/study/inference_plan.h"
#include "server/study/plan.h"
#include "server/study/plan_check.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/quantity.h"

namespace somafit {
namespace {

constexpr size_t kMostNames = 1000;
constexpr int64_t kMostFeatures = 16384;
constexpr size_t kLongestName = 80;

std::string Shown(const std::string& text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kLongestName)),
                      "\"");
}

void Refuse(bool given, const char* field, Diagnostics& diagnostics) {
  if (!given) return;
  diagnostics.FieldError(
      "E_INFERENCE", field,
      absl::StrCat("with a simulator of your own there is no ", field),
      "leave it out, or leave out inference.simulator");
}

void CheckName(const std::string& field, const std::string& name,
               std::set<std::string>& seen, Diagnostics& diagnostics) {
  if (!IsIdentifier(name) || name.size() > kLongestName) {
    diagnostics.FieldError(
        "E_NAME", field, absl::StrCat(Shown(name), " cannot be a name"),
        absl::StrCat(
            "use letters, digits and \"_\", not first a digit; at most ",
            kLongestName));
  } else if (!seen.insert(name).second) {
    diagnostics.FieldError("E_NAME", field,
                           absl::StrCat(Shown(name), " is given twice"),
                           "keep one of the two");
  }
}

// "10*nS" of "[10*nS, 20*nS]".
std::string LowerText(const std::string& bounds) {
  const size_t open = bounds.find('[');
  if (open == std::string::npos) return "";
  int depth = 0;
  for (size_t i = open + 1; i < bounds.size(); ++i) {
    if (bounds[i] == '(') ++depth;
    if (bounds[i] == ')') --depth;
    if (bounds[i] == ',' && depth == 0) {
      return bounds.substr(open + 1, i - open - 1);
    }
  }
  return "";
}

// That of the first quantity with a unit among those that describe it. What is
// wrong with them is found when they are read.
Dimension DimensionOf(const ParameterSpec& parameter) {
  std::vector<std::string> texts = {LowerText(parameter.bounds),
                                    parameter.fixed};
  for (const NamedText& option : parameter.prior.options) {
    texts.push_back(option.text);
  }
  for (const std::string& text : texts) {
    Diagnostics ignored;
    const auto quantity = EvaluateQuantity({"", text}, {}, ignored);
    if (quantity && !quantity->dimension.IsNone()) return quantity->dimension;
  }
  return kNoDimension;
}

// Its parameters alone.
Model ModelOf(const FitSpec& spec, Diagnostics& diagnostics) {
  Model model;
  std::set<std::string> seen;
  for (const ParameterSpec& parameter : spec.parameters) {
    CheckName("parameters", parameter.name, seen, diagnostics);
    model.parameters.emplace_back();
    model.parameters.back().name = parameter.name;
    model.parameters.back().dimension = DimensionOf(parameter);
  }
  if (spec.parameters.empty()) {
    diagnostics.FieldError("E_PRIOR", "parameters",
                           "there are no parameters to infer",
                           "give each its name and bounds or a prior");
  }
  return model;
}

// Columns of x, and what is kept of each sample: a column for each name, or
// one of all numbers.
void CheckColumns(const OwnSimulator& simulator, InferencePlan& plan,
                  size_t& n_traces, Diagnostics& diagnostics) {
  const std::string field = "inference.simulator";
  const bool named = !simulator.features.empty();
  if (named == (simulator.n_features != 0)) {
    diagnostics.FieldError(
        "E_INFERENCE", field,
        named ? "features and n_features are both given"
              : "it does not say what x is made of",
        "give features, the names of x's columns, or n_features, how many "
        "there are");
    return;
  }
  if (named) {
    std::set<std::string> seen;
    for (const std::string& name : simulator.features) {
      CheckName(field + ".features", name, seen, diagnostics);
    }
    if (simulator.features.size() > kMostNames) {
      diagnostics.FieldError(
          "E_LIMIT", field + ".features",
          absl::StrCat("there are ", simulator.features.size(),
                       " names; at most ", kMostNames),
          "give n_features instead");
      return;
    }
    n_traces = 1;
    plan.columns = XColumns(simulator.features);
    for (const std::string& name : simulator.features) {
      plan.features.push_back({name, kNoDimension});
    }
  } else {
    if (simulator.n_features < 1 || simulator.n_features > kMostFeatures) {
      diagnostics.FieldError(
          "E_RANGE", field + ".n_features",
          absl::StrCat("n_features is ", simulator.n_features,
                       "; it must be 1 to ", kMostFeatures));
      return;
    }
    n_traces = static_cast<size_t>(simulator.n_features);
    std::vector<std::string> names;
    for (size_t i = 0; i < n_traces; ++i) {
      names.push_back(absl::StrCat("x", i));
    }
    plan.columns = XColumns(std::move(names));
    plan.features.push_back({"x", kNoDimension});
  }
  for (size_t i = 0; i < plan.columns.size(); ++i) plan.order.push_back(i);
}

}  // namespace

bool HasOwnSimulator(const FitSpec& spec) {
  return spec.inference && spec.inference->simulator;
}

std::optional<FitPlan> ResolveOwnPlan(const FitSpec& spec,
                                      const std::string& model_hash,
                                      Diagnostics& diagnostics) {
  Diagnostics found;
  FitPlan plan;
  plan.spec = spec;
  plan.model_hash = model_hash;
  CheckNames(plan.spec, found);
  Refuse(EncodeModelSource(spec.model) != EncodeModelSource({}), "model",
         found);
  Refuse(!spec.dataset.empty(), "dataset", found);
  Refuse(!spec.dt.empty(), "dt", found);
  Refuse(!spec.inference->features.empty(), "inference.features", found);
  Refuse(spec.start_iteration != 0, "start_iteration", found);
  auto inference = std::make_shared<InferencePlan>();
  CheckInference(plan.spec, *inference, found);
  CheckColumns(*spec.inference->simulator, *inference, plan.n_traces, found);
  CheckEmbedding(spec.inference->estimator, inference->columns.size(), found);
  if (inference->columns.size() > 0 && !spec.inference->observation.empty()) {
    TakeObservation(spec.inference->observation, *inference, found);
  }
  Diagnostics named;
  const Model model = ModelOf(spec, named);
  const bool ok = !named.HasErrors();
  found.Append(named);
  if (ok) plan.space = CheckPriors(spec, model, *inference, found).space;
  if (inference->prior != nullptr && inference->prior->improper()) {
    if (plan.spec.stop.rounds.value_or(1) != 1) {
      found.FieldError("E_INFERENCE", "stop.rounds",
                       "without a prior there is one round, since nothing can "
                       "be proposed",
                       "leave stop.rounds out, or give a prior");
    }
    plan.spec.stop.rounds = inference->n_rounds = 1;
  }
  CheckCounts(plan.spec, inference->features.size(), found);
  diagnostics.Append(found);
  if (found.HasErrors()) return std::nullopt;
  plan.outputs = inference->features;
  plan.stop.rounds = plan.spec.stop.rounds;
  plan.inference = std::move(inference);
  return plan;
}

}  // namespace somafit
