#include "server/study/plan_change.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

constexpr char kRemedy[] =
    "leave it out to go on as before, or continue with restart";

// A quantity in another unit may differ in its last digits.
bool Same(double a, double b) {
  return a == b ||
         std::abs(a - b) <= 1e-12 * std::max(std::abs(a), std::abs(b));
}

// Whether the options of a member come to the same, defaults included.
bool SameOptions(const std::vector<NamedText>& before,
                 const std::vector<NamedText>& after,
                 const std::vector<OptionSpec>& known,
                 const Dimension& output) {
  Diagnostics checked_before;
  const OptionValues old =
      ReadOptions(before, known, "", output, checked_before);
  const OptionValues now =
      ReadOptions(after, known, "", output, checked_before);
  for (const auto& [name, value] : old) {
    if (!Same(value, now.at(name))) return false;
  }
  const auto text_of = [](const std::vector<NamedText>& options,
                          std::string_view name) {
    for (const NamedText& each : options) {
      if (each.name == name) return each.text;
    }
    return std::string();
  };
  return std::all_of(known.begin(), known.end(), [&](const OptionSpec& option) {
    return option.kind != OptionSpec::Kind::kText ||
           text_of(before, option.name) == text_of(after, option.name);
  });
}

bool SameTerm(const FitPlan& before, const FitPlan& after, size_t term) {
  const MetricSpec &old = before.metrics[term], &now = after.metrics[term];
  const MetricEntry* const entry = FindMetric(old.metric);
  return entry != nullptr && old.metric == now.metric &&
         old.t_weights == now.t_weights && ComparedBy(old) == ComparedBy(now) &&
         SameOptions(old.options, now.options, entry->options,
                     before.outputs[term].dimension);
}

bool SameOptimizer(const OptimizerSpec& old, const OptimizerSpec& now) {
  const OptimizerEntry* const entry = FindOptimizer(old.name);
  return entry != nullptr && old.name == now.name &&
         SameOptions(old.options, now.options, entry->options, kNoDimension);
}

bool SameRange(const Parameter& old, const Parameter& now) {
  return Same(old.lower, now.lower) && Same(old.upper, now.upper) &&
         old.log == now.log && old.fixed() == now.fixed();
}

std::string RangeText(const Parameter& p) {
  if (p.fixed()) return ShortestText(p.lower);
  return absl::StrCat("[", ShortestText(p.lower), ", ", ShortestText(p.upper),
                      p.log ? "] on a log scale" : "]");
}

void CheckParameters(const FitPlan& before, const FitPlan& after,
                     Diagnostics& diagnostics) {
  const std::vector<Parameter>& old = before.space.parameters();
  const std::vector<Parameter>& now = after.space.parameters();
  for (size_t i = 0; i < old.size() && i < now.size(); ++i) {
    if (SameRange(old[i], now[i])) continue;
    diagnostics.FieldError(
        "E_CHANGED", absl::StrCat("parameters.", old[i].name, ".bounds"),
        absl::StrCat("the bounds of \"", old[i].name, "\" were ",
                     RangeText(old[i]), " (SI) and would become ",
                     RangeText(now[i])),
        kRemedy);
  }
}

void CheckMetrics(const FitPlan& before, const FitPlan& after,
                  Diagnostics& diagnostics) {
  std::vector<std::string> old, now;
  for (const Channel& term : before.outputs) old.push_back(term.name);
  for (const Channel& term : after.outputs) now.push_back(term.name);
  if (old != now) {
    diagnostics.FieldError("E_CHANGED", "metrics",
                           "other outputs would be compared", kRemedy);
    return;
  }
  for (size_t i = 0; i < old.size(); ++i) {
    if (SameTerm(before, after, i)) continue;
    diagnostics.FieldError(
        "E_CHANGED", absl::StrCat("metrics.", old[i]),
        absl::StrCat("the metric of \"", old[i], "\" was ",
                     before.metrics[i].metric, " and would become ",
                     after.metrics[i].metric,
                     before.metrics[i].metric == after.metrics[i].metric
                         ? " with other options"
                         : ""),
        kRemedy);
  }
}

bool SameMarginals(const std::vector<MarginalSpec>& before,
                   const std::vector<MarginalSpec>& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const MarginalSpec& old, const MarginalSpec& now) {
                      return old.parameter == now.parameter &&
                             old.kind == now.kind &&
                             std::equal(old.options.begin(), old.options.end(),
                                        now.options.begin(), now.options.end(),
                                        [](const auto& a, const auto& b) {
                                          return a.first == b.first &&
                                                 Same(a.second, b.second);
                                        });
                    });
}

// What simulations were drawn from and what they were made into; how many of
// them a round has, and how it is trained on, may change.
void CheckInference(const FitPlan& before, const FitPlan& after,
                    Diagnostics& diagnostics) {
  const InferencePlan &old = *before.inference, &now = *after.inference;
  const InferenceSpec& old_spec = *before.spec.inference;
  const InferenceSpec& now_spec = *after.spec.inference;
  const auto refuse = [&](bool changed, const char* field, const char* what) {
    if (!changed) return;
    diagnostics.FieldError("E_CHANGED", field,
                           absl::StrCat(what, " would not be what it was"),
                           kRemedy);
  };
  refuse(!SameMarginals(old.marginals, now.marginals), "parameters",
         "the prior");
  refuse(old.algorithm != now.algorithm, "inference.algorithm",
         "the algorithm");
  refuse(!(old_spec.features == now_spec.features) ||
             !(old_spec.simulator == now_spec.simulator),
         "inference.features", "x");
  refuse(!(old_spec.estimator == now_spec.estimator), "inference.estimator",
         "the estimator");
  refuse(!std::equal(old.observation.begin(), old.observation.end(),
                     now.observation.begin(), now.observation.end(), Same),
         "inference.observation", "the observation");
}

}  // namespace

void CheckUnchanged(const FitPlan& before, const FitPlan& after,
                    Diagnostics& diagnostics) {
  if (before.inference != nullptr) {
    return CheckInference(before, after, diagnostics);
  }
  CheckParameters(before, after, diagnostics);
  CheckMetrics(before, after, diagnostics);
  const OptimizerSpec &old = before.spec.optimizer, &now = after.spec.optimizer;
  if (!SameOptimizer(old, now)) {
    diagnostics.FieldError(
        "E_CHANGED", "optimizer",
        absl::StrCat("the optimizer was ", old.name, " and would become ",
                     now.name,
                     old.name == now.name ? " with other options" : ""),
        kRemedy);
  }
  if (before.spec.n_samples != after.spec.n_samples) {
    diagnostics.FieldError(
        "E_CHANGED", "n_samples",
        absl::StrCat("a round had ", before.spec.n_samples,
                     " samples and would have ", after.spec.n_samples),
        kRemedy);
  }
  if (before.spec.penalty != after.spec.penalty) {
    diagnostics.FieldError(
        "E_CHANGED", "penalty",
        absl::StrCat("the penalty was \"", before.spec.penalty,
                     "\" and would become \"", after.spec.penalty, "\""),
        kRemedy);
  }
}

}  // namespace somafit
