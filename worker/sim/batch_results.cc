#include "worker/sim/batch_results.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
}  // namespace

BatchResults::BatchResults(const Experiment& experiment, size_t n_points)
    : experiment_(experiment),
      n_points_(n_points),
      n_traces_(experiment.dataset->traces.size()),
      n_terms_(experiment.terms.size() +
               (experiment.raw_columns.raw() ? 0 : experiment.features.size())),
      errors_(n_terms_ * n_traces_ * n_points, kNaN),
      penalties_(experiment.penalty ? n_traces_ * n_points : 0, kNaN),
      diverged_(n_traces_ * n_points),
      abandoned_(n_points),
      raw_(n_points * experiment.raw_columns.size(),
           std::numeric_limits<float>::quiet_NaN()) {
  size_t longest = 0;
  for (const Trace& trace : experiment.dataset->traces) {
    largest_weight_ = std::max(largest_weight_, trace.weight);
    longest = std::max(longest, trace.n_steps());
  }
  const std::vector<double> zeros(longest);
  for (const Term& term : experiment.terms) {
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      const auto targets = TargetsOf(term, *experiment.dataset, trace, zeros);
      counts_.push_back(term.metric->CountedGroupSteps(targets) > 0 ? 1 : 0);
    }
  }
  for (size_t term = 0; term < experiment.terms.size(); ++term) {
    WeightedMean all;
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      if (Counts(term, trace)) all.Add(WeightOf(trace), 0);
    }
    weights_.push_back(all.weights);
  }
}

void BatchResults::WeightedMean::Add(double weight, double value) {
  sum = std::fma(weight, value, sum);
  weights += weight;
}

double BatchResults::WeightedMean::Value() const {
  return weights > 0 ? sum / weights : kNaN;
}

double BatchResults::WeightOf(size_t trace) const {
  return experiment_.dataset->traces[trace].weight / largest_weight_;
}

std::vector<double> BatchResults::AddedBefore(size_t point,
                                              size_t trace) const {
  std::vector<double> added;
  for (size_t term = 0; term < n_terms_; ++term) {
    WeightedMean mean;
    for (size_t t = 0; t < trace; ++t) {
      if (Counts(term, t)) {
        mean.Add(WeightOf(t), errors_[Index(term, t, point)]);
      }
    }
    added.push_back(mean.sum);
  }
  return added;
}

double BatchResults::TotalSoFar(std::span<const double> added, size_t trace,
                                std::span<const double> errors) const {
  double total = 0;
  for (size_t term = 0; term < n_terms_; ++term) {
    WeightedMean mean{.sum = added[term]};
    if (Counts(term, trace)) mean.Add(WeightOf(trace), errors[term]);
    // Later traces: fma(w, 0, sum) is the sum.
    mean.weights = weights_[term];
    total += experiment_.terms[term].metric->Normalize(mean.Value());
  }
  return total;
}

void BatchResults::ForgetTrace(size_t trace, size_t point) {
  for (const TraceSegment& segment : experiment_.raw_columns.segments()) {
    if (segment.trace != trace) continue;
    for (size_t k = 0; k < segment.count; ++k) {
      SetRaw(point, segment.column + k, kNaN);
    }
  }
}

Evaluation BatchResults::Collect(size_t point) const {
  if (experiment_.raw_columns.raw()) return CollectRaw(point);
  if (!experiment_.features.empty()) return CollectFeatures(point);
  Evaluation result;
  if (abandoned_[point] != 0) {
    result.status = SampleStatus::kAbandoned;
    result.total_error = kNaN;
    result.output_errors.assign(n_terms_, kNaN);
    result.output_errors_normalized.assign(n_terms_, kNaN);
    result.trace_errors.assign(n_terms_ * n_traces_, kNaN);
    return result;
  }
  result.trace_errors.reserve(n_terms_ * n_traces_);
  result.output_errors.reserve(n_terms_);
  result.output_errors_normalized.reserve(n_terms_);
  for (size_t term = 0; term < n_terms_; ++term) {
    WeightedMean mean;
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      const double error = errors_[Index(term, trace, point)];
      result.trace_errors.push_back(error);
      if (Counts(term, trace)) mean.Add(WeightOf(trace), error);
    }
    const double error = mean.Value();
    const double normalized = experiment_.terms[term].metric->Normalize(error);
    result.output_errors.push_back(error);
    result.output_errors_normalized.push_back(normalized);
    result.total_error += normalized;
  }
  if (!penalties_.empty()) {
    WeightedMean mean;
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      mean.Add(WeightOf(trace), penalties_[Index(0, trace, point)]);
    }
    result.penalty = mean.Value();
    result.total_error += *result.penalty;
  }
  result.reason = WhereDiverged(point);
  // Also where nothing counts in the trace in which it diverged.
  if (!result.reason.empty()) result.total_error = kNaN;
  result.status = std::isfinite(result.total_error) ? SampleStatus::kOk
                                                    : SampleStatus::kNonfinite;
  return result;
}

Evaluation BatchResults::CollectRaw(size_t point) const {
  Evaluation result;
  result.reason = WhereDiverged(point);
  const size_t n = experiment_.raw_columns.size();
  result.raw_x.assign(raw_.begin() + static_cast<ptrdiff_t>(point * n),
                      raw_.begin() + static_cast<ptrdiff_t>((point + 1) * n));
  for (size_t i = 0; i < n && result.reason.empty(); ++i) {
    const float value = result.raw_x[i];
    if (std::isfinite(value)) continue;
    result.reason =
        absl::StrCat(experiment_.raw_columns.NameOf(i).substr(0, 100),
                     std::isnan(value) ? " is not a number"
                                       : " is beyond what 32 bits hold");
  }
  const bool ok = result.reason.empty();
  result.status = ok ? SampleStatus::kOk : SampleStatus::kNonfinite;
  result.total_error = ok ? 0 : kNaN;
  return result;
}

Evaluation BatchResults::CollectFeatures(size_t point) const {
  Evaluation result;
  result.reason = WhereDiverged(point);
  for (size_t feature = 0; feature < n_terms_; ++feature) {
    double sum = 0;
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      const double value = errors_[Index(feature, trace, point)];
      result.trace_errors.push_back(value);
      sum += value;
      if (std::isfinite(value) || !result.reason.empty()) continue;
      result.reason = absl::StrCat(
          "feature \"", experiment_.features[feature].name, "\" of trace ",
          trace, std::isnan(value) ? " is not a number" : " is infinite");
    }
    result.output_errors.push_back(sum / static_cast<double>(n_traces_));
  }
  result.output_errors_normalized = result.output_errors;
  const bool ok = result.reason.empty();
  result.status = ok ? SampleStatus::kOk : SampleStatus::kNonfinite;
  result.total_error = ok ? 0 : kNaN;
  return result;
}

std::string BatchResults::WhereDiverged(size_t point) const {
  for (size_t trace = 0; trace < n_traces_; ++trace) {
    const auto& diverged = diverged_[Index(0, trace, point)];
    if (!diverged) continue;
    constexpr size_t kMaxName = 60;
    const Program& program = experiment_.program;
    const bool gave_up =
        program.integration && diverged->state + 1 == program.states.size();
    return absl::StrCat(
        gave_up ? program.integration->solver
                : program.states[diverged->state].substr(0, kMaxName),
        gave_up ? " found no step that is good enough"
                : " is not within +-1e50",
        " at step ", diverged->step, " of trace ", trace);
  }
  return "";
}

}  // namespace somafit
