// The vector x that features make up: see feature_terms.h.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/objective/feature_terms.h"

namespace somafit {

std::vector<FeatureColumn> FeatureColumns(const std::vector<FeatureTerm>& terms,
                                          const Dataset& dataset) {
  std::vector<std::vector<size_t>> of_output(dataset.outputs.size());
  for (size_t f = 0; f < terms.size(); ++f) {
    of_output[terms[f].output].push_back(f);
  }
  std::vector<FeatureColumn> columns;
  columns.reserve(terms.size() * dataset.traces.size());
  for (const std::vector<size_t>& features : of_output) {
    for (size_t trace = 0; trace < dataset.traces.size(); ++trace) {
      for (const size_t f : features) {
        columns.push_back(
            {.name = absl::StrCat(terms[f].name, "_trace_", trace),
             .feature = f,
             .trace = trace,
             .dimension = terms[f].dimension,
             .unit = terms[f].unit});
      }
    }
  }
  return columns;
}

std::vector<double> InOrderOfX(const std::vector<FeatureColumn>& columns,
                               size_t n_traces,
                               std::span<const double> values) {
  std::vector<double> x;
  x.reserve(columns.size());
  for (const FeatureColumn& column : columns) {
    x.push_back(values[column.feature * n_traces + column.trace]);
  }
  return x;
}

std::vector<double> ObserveFeatures(const std::vector<FeatureTerm>& terms,
                                    const Dataset& dataset) {
  std::vector<double> values;  // [feature][trace]
  values.reserve(terms.size() * dataset.traces.size());
  for (const FeatureTerm& term : terms) {
    for (const Trace& trace : dataset.traces) {
      const std::vector<double>& series = trace.targets[term.output];
      const auto accumulator = term.feature->Start(series.size(), 1);
      for (size_t step = 0; step < series.size(); ++step) {
        accumulator->Observe(step, {&series[step], 1});
      }
      accumulator->Finish({&values.emplace_back(), 1});
    }
  }
  return InOrderOfX(FeatureColumns(terms, dataset), dataset.traces.size(),
                    values);
}

void CheckObservation(const std::vector<FeatureTerm>& terms,
                      const Dataset& dataset, std::span<const double> x,
                      Diagnostics& diagnostics) {
  const std::vector<FeatureColumn> columns = FeatureColumns(terms, dataset);
  std::vector<bool> reported(terms.size());
  for (size_t i = 0; i < columns.size() && i < x.size(); ++i) {
    if (std::isfinite(x[i]) || reported[columns[i].feature]) continue;
    reported[columns[i].feature] = true;
    const FeatureTerm& term = terms[columns[i].feature];
    const std::vector<double>& series =
        dataset.traces[columns[i].trace].targets[term.output];
    const StepRange window = WindowOf(term.config, series.size());
    size_t missing = window.first;
    while (missing < window.end && !std::isnan(series[missing])) ++missing;
    const bool is_missing = missing < window.end;
    const bool may_be_empty = term.config.options.count("empty") > 0;
    diagnostics.FieldError(
        "E_OBSERVATION", absl::StrCat("inference.features.", term.name),
        is_missing
            ? absl::StrCat("the recording of trace ", columns[i].trace,
                           " has no point at step ", missing,
                           ", which is in this feature's window")
            : absl::StrCat("is not a finite number on the recording of trace ",
                           columns[i].trace),
        is_missing || !may_be_empty
            ? "choose another window, or give inference.observation"
            : "there are too few spikes; give `empty`, the value that stands "
              "for that, or inference.observation");
  }
}

}  // namespace somafit
