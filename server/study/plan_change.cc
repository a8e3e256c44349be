#include "server/study/plan_change.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

constexpr char kRemedy[] =
    "leave it out to go on as before, or continue with restart";

// What the options of a member come to, defaults included.
std::string ValuesOf(const std::vector<NamedText>& given,
                     const std::vector<OptionSpec>& known,
                     const Dimension& output) {
  Diagnostics checked_before;
  std::string values;
  for (const auto& [name, value] :
       ReadOptions(given, known, "", output, checked_before)) {
    absl::StrAppend(&values, name, "=", ShortestText(value), ";");
  }
  for (const OptionSpec& option : known) {
    if (option.kind != OptionSpec::Kind::kText) continue;
    for (const NamedText& each : given) {
      if (each.name == option.name) {
        absl::StrAppend(&values, each.name, "=", each.text, ";");
      }
    }
  }
  return values;
}

std::string TermText(const FitPlan& plan, size_t term) {
  const MetricSpec& metric = plan.metrics[term];
  const MetricEntry* const entry = FindMetric(metric.metric);
  if (entry == nullptr) return metric.metric;
  return absl::StrCat(
      metric.metric, " ",
      ValuesOf(metric.options, entry->options, plan.outputs[term].dimension));
}

std::string OptimizerText(const OptimizerSpec& optimizer) {
  const OptimizerEntry* const entry = FindOptimizer(optimizer.name);
  if (entry == nullptr) return optimizer.name;
  return absl::StrCat(
      optimizer.name, " ",
      ValuesOf(optimizer.options, entry->options, kNoDimension));
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
    const std::string was = RangeText(old[i]), is = RangeText(now[i]);
    if (was == is) continue;
    diagnostics.FieldError(
        "E_CHANGED", absl::StrCat("parameters.", old[i].name, ".bounds"),
        absl::StrCat("the bounds of \"", old[i].name, "\" were ", was,
                     " (SI) and would become ", is),
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
    const bool same =
        TermText(before, i) == TermText(after, i) &&
        before.metrics[i].t_weights == after.metrics[i].t_weights &&
        before.metrics[i].outputs == after.metrics[i].outputs;
    if (same) continue;
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

}  // namespace

void CheckUnchanged(const FitPlan& before, const FitPlan& after,
                    Diagnostics& diagnostics) {
  CheckParameters(before, after, diagnostics);
  CheckMetrics(before, after, diagnostics);
  const OptimizerSpec &old = before.spec.optimizer, &now = after.spec.optimizer;
  if (OptimizerText(old) != OptimizerText(now)) {
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
