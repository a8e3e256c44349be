#include "worker/sim/batch.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"
#include "worker/sim/block.h"
#include "worker/sim/penalty.h"
#include "worker/sim/threads.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Of an output in a trace, see Metric::SquareWeights.
struct StepWeights {
  std::vector<double> weights;  // per step
  double sum = 0;
};

// [trace][output]; empty unless a kernel can add up all metrics by itself.
using AllWeights = std::vector<std::vector<StepWeights>>;

// The term that compares each output of the program, and nothing else; empty
// where there is another.
std::vector<size_t> TermOfOutput(const Experiment& experiment) {
  const size_t n_outputs = experiment.program.outputs.size();
  const size_t n_terms = experiment.terms.size();
  std::vector<size_t> term_of(n_outputs, n_terms);
  if (n_terms != n_outputs) return {};
  for (size_t term = 0; term < n_terms; ++term) {
    const std::vector<size_t>& outputs = experiment.terms[term].outputs;
    if (outputs.size() != 1 || term_of[outputs[0]] < n_terms) return {};
    term_of[outputs[0]] = term;
  }
  return term_of;
}

AllWeights WeightsOf(const Experiment& experiment) {
  AllWeights all;
  const std::vector<size_t> term_of = TermOfOutput(experiment);
  if (term_of.empty()) return {};
  for (const Trace& trace : experiment.dataset->traces) {
    auto& of_trace = all.emplace_back();
    for (size_t output = 0; output < term_of.size(); ++output) {
      if (output >= trace.targets.size()) return {};
      StepWeights step_weights;
      step_weights.weights =
          experiment.terms[term_of[output]].metric->SquareWeights(
              trace.targets[output]);
      if (step_weights.weights.size() != trace.n_steps()) return {};
      for (const double weight : step_weights.weights) {
        step_weights.sum += weight;
      }
      of_trace.push_back(std::move(step_weights));
    }
  }
  return all;
}

KernelVariant VariantFor(const AllWeights& weights) {
  if (weights.empty()) return KernelVariant::kRecord;
  for (const auto& of_trace : weights) {
    for (const StepWeights& of_output : of_trace) {
      for (const double weight : of_output.weights) {
        if (weight != 1) return KernelVariant::kErrors;
      }
    }
  }
  return KernelVariant::kPlainErrors;
}

class Batch {
 public:
  Batch(const Experiment& experiment, const Kernel& kernel,
        const AllWeights* weights, std::span<const std::vector<double>> points,
        const std::function<bool()>& cancelled, const RoundPlace& place)
      : experiment_(experiment),
        kernel_(kernel),
        weights_(weights),
        points_(points),
        cancelled_(cancelled),
        place_(place),
        width_(static_cast<size_t>(kernel.width())),
        n_traces_(experiment.dataset->traces.size()),
        n_outputs_(experiment.program.outputs.size()),
        n_terms_(experiment.terms.size()),
        n_blocks_((points.size() + width_ - 1) / width_),
        errors_(n_terms_ * n_traces_ * points.size(), kNaN),
        penalties_(experiment.penalty ? n_traces_ * points.size() : 0, kNaN),
        diverged_(n_traces_ * points.size()),
        term_of_(TermOfOutput(experiment)) {
    for (const Trace& trace : experiment.dataset->traces) {
      largest_weight_ = std::max(largest_weight_, trace.weight);
      zeros_.resize(std::max(zeros_.size(), trace.n_steps()));
    }
    for (const Term& term : experiment.terms) {
      for (size_t trace = 0; trace < n_traces_; ++trace) {
        const auto targets =
            TargetsOf(term, *experiment.dataset, trace, zeros_);
        counts_.push_back(term.metric->CountedGroupSteps(targets) > 0);
      }
    }
  }

  size_t n_units() const { return n_traces_ * n_blocks_; }

  // Takes units until there are none; false if cancelled.
  void Work() {
    while (!stopped_) {
      const size_t unit = next_unit_++;
      if (unit >= n_units()) return;
      if (!Simulate(unit / n_blocks_, unit % n_blocks_ * width_)) {
        stopped_ = true;
      }
    }
  }

  bool stopped() const { return stopped_; }

  Evaluation Collect(size_t point) const {
    Evaluation result;
    result.trace_errors.reserve(n_terms_ * n_traces_);
    result.output_errors.reserve(n_terms_);
    result.output_errors_normalized.reserve(n_terms_);
    for (size_t term = 0; term < n_terms_; ++term) {
      WeightedMean mean;
      for (size_t trace = 0; trace < n_traces_; ++trace) {
        const double error = errors_[Index(term, trace, point)];
        result.trace_errors.push_back(error);
        if (counts_[term * n_traces_ + trace]) mean.Add(WeightOf(trace), error);
      }
      const double error = mean.Value();
      const double normalized =
          experiment_.terms[term].metric->Normalize(error);
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
    result.status = std::isfinite(result.total_error)
                        ? SampleStatus::kOk
                        : SampleStatus::kNonfinite;
    return result;
  }

 private:
  struct WeightedMean {
    double sum = 0;
    double weights = 0;
    void Add(double weight, double value) {
      sum = std::fma(weight, value, sum);
      weights += weight;
    }
    double Value() const { return weights > 0 ? sum / weights : kNaN; }
  };
  double WeightOf(size_t trace) const {
    return experiment_.dataset->traces[trace].weight / largest_weight_;
  }

  size_t Index(size_t term, size_t trace, size_t point) const {
    return (term * n_traces_ + trace) * points_.size() + point;
  }

  std::string WhereDiverged(size_t point) const {
    for (size_t trace = 0; trace < n_traces_; ++trace) {
      const auto& diverged = diverged_[trace * points_.size() + point];
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

  bool Simulate(size_t trace, size_t first) {
    const size_t n_lanes = std::min(width_, points_.size() - first);
    const Block block = MakeBlock(experiment_.program, points_, place_,
                                  n_traces_, trace, first, n_lanes, width_);
    std::vector<double> errors;  // [term][lane]
    const BlockOutcome outcome = weights_ != nullptr
                                     ? Compare(block, errors)
                                     : Accumulate(block, errors);
    if (outcome.cancelled) return false;
    std::vector<double> penalties;
    if (experiment_.penalty) {
      penalties =
          PenaltiesOf(*experiment_.penalty, experiment_.dataset->traces[trace],
                      block, outcome.states);
    }
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      if (outcome.diverged[lane]) {
        diverged_[trace * points_.size() + first + lane] =
            outcome.diverged[lane];
        continue;  // the errors stay NaN
      }
      for (size_t term = 0; term < n_terms_; ++term) {
        errors_[Index(term, trace, first + lane)] =
            errors[term * width_ + lane];
      }
      if (!penalties.empty()) {
        penalties_[Index(0, trace, first + lane)] = penalties[lane];
      }
    }
    return true;
  }

  // The kernel adds up the errors.
  BlockOutcome Compare(const Block& block, std::vector<double>& errors) const {
    const size_t trace = block.trace;
    const Trace& data = experiment_.dataset->traces[trace];
    Comparison comparison;
    for (size_t output = 0; output < n_outputs_; ++output) {
      comparison.targets.push_back(data.targets[output].data());
      comparison.weights.push_back((*weights_)[trace][output].weights.data());
    }
    comparison.sums.resize(n_outputs_ * width_);
    BlockOutcome outcome = SimulateBlock(experiment_.program, kernel_, data,
                                         block, &comparison, {}, Cancelled());
    errors.resize(n_terms_ * width_);
    for (size_t output = 0; output < n_outputs_; ++output) {
      const double sum = (*weights_)[trace][output].sum;
      const size_t term = term_of_[output];
      const Metric& metric = *experiment_.terms[term].metric;
      for (size_t lane = 0; lane < width_; ++lane) {
        const double added = comparison.sums[output * width_ + lane];
        errors[term * width_ + lane] =
            sum > 0 ? metric.FromMeanSquare(added / sum) : kNaN;
      }
    }
    return outcome;
  }

  // The metrics see every step.
  BlockOutcome Accumulate(const Block& block,
                          std::vector<double>& errors) const {
    const Trace& data = experiment_.dataset->traces[block.trace];
    std::vector<std::vector<std::span<const double>>> targets;
    std::vector<std::unique_ptr<MetricAccumulator>> accumulators;
    for (const Term& term : experiment_.terms) {
      targets.push_back(
          TargetsOf(term, *experiment_.dataset, block.trace, zeros_));
      accumulators.push_back(term.metric->StartGroup(targets.back(), width_));
    }
    std::vector<double> group;  // [output of the term][lane]
    const auto observe = [&](size_t step, std::span<const double> row) {
      for (size_t t = 0; t < n_terms_; ++t) {
        const std::vector<size_t>& outputs = experiment_.terms[t].outputs;
        if (outputs.size() == 1) {
          accumulators[t]->Observe(step,
                                   row.subspan(outputs[0] * width_, width_));
          continue;
        }
        group.clear();
        for (const size_t output : outputs) {
          const auto lanes = row.subspan(output * width_, width_);
          group.insert(group.end(), lanes.begin(), lanes.end());
        }
        accumulators[t]->Observe(step, group);
      }
    };
    BlockOutcome outcome = SimulateBlock(
        experiment_.program, kernel_, data, block, nullptr,
        [&](size_t begin, size_t end, std::span<const double> rows) {
          const size_t row_size = n_outputs_ * width_;
          for (size_t step = begin; step < end; ++step) {
            observe(step, rows.subspan((step - begin) * row_size, row_size));
          }
        },
        Cancelled());
    errors.resize(n_terms_ * width_);
    if (outcome.cancelled) return outcome;
    for (size_t t = 0; t < n_terms_; ++t) {
      accumulators[t]->Finish({&errors[t * width_], block.n_lanes});
    }
    return outcome;
  }

  std::function<bool()> Cancelled() const {
    return [this] { return stopped_ || (cancelled_ && cancelled_()); };
  }

  const Experiment& experiment_;
  const Kernel& kernel_;
  const AllWeights* const weights_;  // null: the metrics add up
  const std::span<const std::vector<double>> points_;
  const std::function<bool()>& cancelled_;
  const RoundPlace& place_;
  const size_t width_;
  const size_t n_traces_;
  const size_t n_outputs_;  // of the program
  const size_t n_terms_;
  const size_t n_blocks_;
  // [term][trace][point]; every unit writes a part of its own.
  std::vector<double> errors_;
  std::vector<double> penalties_;  // [trace][point]; empty: there is none
  std::vector<std::optional<Divergence>> diverged_;  // [trace][point]
  const std::vector<size_t> term_of_;                // [output]
  std::vector<double> zeros_;  // the target of errors in the model language
  std::vector<bool> counts_;   // [term][trace]: whether any step does
  // Weights are relative to it, so that no sum of them overflows.
  double largest_weight_ = 0;
  std::atomic<size_t> next_unit_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

absl::Status PrepareBatch(const Experiment& experiment, size_t n_points,
                          const KernelSource& kernels) {
  return kernels(experiment.program, VariantFor(WeightsOf(experiment)),
                 n_points)
      .status();
}

absl::StatusOr<std::vector<Evaluation>> EvaluateBatch(
    const Experiment& experiment,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled, const KernelSource& kernels,
    const RoundPlace& place) {
  const size_t n_parameters = experiment.program.n_own_parameters();
  for (size_t i = 0; i < points_si.size(); ++i) {
    if (points_si[i].size() == n_parameters) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "point ", i, " has ", points_si[i].size(),
        " numbers, but the model has ", n_parameters, " parameters"));
  }
  const AllWeights weights = WeightsOf(experiment);
  const KernelVariant variant = VariantFor(weights);
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Kernel> kernel,
      kernels(experiment.program, variant, points_si.size()));
  Batch batch(experiment, *kernel, weights.empty() ? nullptr : &weights,
              points_si, cancelled, place);
  {
    const size_t n_threads = std::min<size_t>(
        static_cast<size_t>(std::max(threads, 1)), batch.n_units());
    const std::vector<std::jthread> others = StartThreads(
        n_threads - std::min<size_t>(n_threads, 1), [&batch] { batch.Work(); });
    batch.Work();
  }
  if (batch.stopped()) return absl::CancelledError("batch was cancelled");
  std::vector<Evaluation> results;
  results.reserve(points_si.size());
  for (size_t i = 0; i < points_si.size(); ++i) {
    results.push_back(batch.Collect(i));
  }
  return results;
}

}  // namespace somafit
