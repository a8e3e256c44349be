#include "server/study/plan_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(std::string(text.substr(0, 80))),
                      "\"");
}

const Channel* FindOutput(const Dataset& dataset, const std::string& name) {
  for (const Channel& output : dataset.outputs) {
    if (output.name == name) return &output;
  }
  return nullptr;
}

void CheckOutputs(const std::vector<MetricSpec>& metrics,
                  const Dataset& dataset, Diagnostics& diagnostics) {
  std::vector<std::string> outputs;
  for (const Channel& output : dataset.outputs) outputs.push_back(output.name);
  for (size_t i = 0; i < metrics.size(); ++i) {
    const std::string& output = metrics[i].output;
    const std::string field =
        absl::StrCat("metrics.", output.substr(0, 80), ".output");
    if (FindOutput(dataset, output) == nullptr) {
      const std::string nearest = NearestWord(output, outputs);
      diagnostics.FieldError(
          "E_METRIC", field,
          absl::StrCat("the dataset has no output ", Quoted(output)),
          nearest.empty()
              ? absl::StrCat("its outputs are: ", absl::StrJoin(outputs, ", "))
              : absl::StrCat("did you mean \"", nearest, "\"?"));
      continue;
    }
    for (size_t k = 0; k < i; ++k) {
      if (metrics[k].output != output) continue;
      diagnostics.FieldError(
          "E_METRIC", field,
          absl::StrCat("output \"", output, "\" has two metrics"),
          "keep one of them");
      break;
    }
  }
}

// A normalization with a unit takes the unit out of the error.
bool TakesUnitOut(const MetricSpec& metric, const MetricEntry& entry) {
  for (const OptionSpec& option : entry.options) {
    if (option.name != "normalization") continue;
    for (const NamedText& given : metric.options) {
      if (given.name != option.name) continue;
      Diagnostics checked_before;
      const std::optional<Quantity> value =
          EvaluateQuantity({"", given.text}, {}, checked_before);
      return value && !value->dimension.IsNone();
    }
  }
  return false;
}

// Each distinct mistake once, whatever the number of traces.
void CheckAgainstTraces(const MetricSpec& metric, const MetricEntry& entry,
                        const MetricConfig& config, size_t output_index,
                        const Dataset& dataset, Diagnostics& diagnostics) {
  const std::string field = absl::StrCat(
      "metrics.", metric.output, metric.t_weights.empty() ? "" : ".t_weights");
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const absl::Status status =
        ValidateMetric(entry, config, dataset.traces[i].targets[output_index]);
    if (status.ok()) continue;
    diagnostics.FieldError("E_METRIC", field,
                           absl::StrCat("trace ", i, ": ", status.message()));
    return;
  }
  const auto made = entry.make(config);
  const bool any_counts = std::any_of(
      dataset.traces.begin(), dataset.traces.end(), [&](const Trace& trace) {
        return made->CountedSteps(trace.targets[output_index]) > 0;
      });
  if (!any_counts) {
    diagnostics.FieldError(
        "E_METRIC", field,
        absl::StrCat("no point of output \"", metric.output,
                     "\" takes part in the error of any trace"),
        "let the comparison start earlier, or give targets that are not all "
        "missing");
  }
}

// The dimension of the normalized error of one output.
std::optional<Dimension> CheckMetric(MetricSpec& metric, size_t output_index,
                                     const Dataset& dataset,
                                     std::optional<double> dt,
                                     Diagnostics& diagnostics) {
  const std::string field = absl::StrCat("metrics.", metric.output);
  std::string problem, hint;
  const MetricEntry* const entry =
      ChooseMetric(metric.metric, metric.output, &problem, &hint);
  if (entry == nullptr) {
    diagnostics.FieldError("E_METRIC", absl::StrCat(field, ".metric"), problem,
                           hint);
    return std::nullopt;
  }
  metric.metric = std::string(entry->name);
  const Channel& output = dataset.outputs[output_index];
  Diagnostics of_options;
  MetricConfig config;
  config.options = ReadOptions(metric.options, entry->options, field,
                               output.dimension, of_options);
  config.t_weights = metric.t_weights;
  config.dt = dt.value_or(0);
  const bool readable = !of_options.HasErrors();
  diagnostics.Append(of_options);
  if (!readable || !dt) return std::nullopt;
  CheckAgainstTraces(metric, *entry, config, output_index, dataset,
                     diagnostics);
  if (TakesUnitOut(metric, *entry)) return kNoDimension;
  return entry->error_dimension(output.dimension);
}

}  // namespace

std::optional<Dimension> CheckMetrics(std::vector<MetricSpec>& metrics,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics) {
  CheckOutputs(metrics, dataset, diagnostics);
  std::vector<MetricSpec> per_output;
  std::optional<Dimension> total;
  std::string first;
  for (size_t o = 0; o < dataset.outputs.size(); ++o) {
    const std::string& name = dataset.outputs[o].name;
    const auto given =
        std::find_if(metrics.begin(), metrics.end(),
                     [&](const MetricSpec& m) { return m.output == name; });
    MetricSpec metric = given == metrics.end() ? MetricSpec{.output = name,
                                                            .metric = "",
                                                            .options = {},
                                                            .t_weights = {}}
                                               : *given;
    const std::optional<Dimension> dimension =
        CheckMetric(metric, o, dataset, dt, diagnostics);
    per_output.push_back(std::move(metric));
    if (!dimension) continue;
    if (!total) {
      total = dimension;
      first = name;
    } else if (!(*total == *dimension)) {
      diagnostics.FieldError(
          "E_DIM", absl::StrCat("metrics.", name),
          absl::StrCat("the total error would add ", UnitExpression(*total),
                       " of \"", first, "\" and ", UnitExpression(*dimension),
                       " of \"", name, "\""),
          "give each output a normalization in its own unit");
    }
  }
  metrics = std::move(per_output);
  return total;
}

}  // namespace somafit
