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

AllWeights WeightsOf(const Experiment& experiment) {
  AllWeights all;
  for (const Trace& trace : experiment.dataset->traces) {
    auto& of_trace = all.emplace_back();
    for (size_t output = 0; output < experiment.metrics.size(); ++output) {
      StepWeights step_weights;
      step_weights.weights =
          experiment.metrics[output]->SquareWeights(trace.targets[output]);
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
        n_outputs_(experiment.metrics.size()),
        n_blocks_((points.size() + width_ - 1) / width_),
        errors_(n_outputs_ * n_traces_ * points.size(), kNaN),
        diverged_(n_traces_ * points.size()) {
    for (const Trace& trace : experiment.dataset->traces) {
      largest_weight_ = std::max(largest_weight_, trace.weight);
    }
    for (size_t output = 0; output < n_outputs_; ++output) {
      for (const Trace& trace : experiment.dataset->traces) {
        counts_.push_back(experiment.metrics[output]->CountedSteps(
                              trace.targets[output]) > 0);
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
    result.trace_errors.reserve(n_outputs_ * n_traces_);
    result.output_errors.reserve(n_outputs_);
    result.output_errors_normalized.reserve(n_outputs_);
    for (size_t output = 0; output < n_outputs_; ++output) {
      const Metric& metric = *experiment_.metrics[output];
      double sum = 0;
      double weight_sum = 0;
      for (size_t trace = 0; trace < n_traces_; ++trace) {
        const Trace& data = experiment_.dataset->traces[trace];
        const double error = errors_[Index(output, trace, point)];
        result.trace_errors.push_back(error);
        if (!counts_[output * n_traces_ + trace]) continue;
        const double weight = data.weight / largest_weight_;
        sum = std::fma(weight, error, sum);
        weight_sum += weight;
      }
      const double error = weight_sum > 0 ? sum / weight_sum : kNaN;
      const double normalized = metric.Normalize(error);
      result.output_errors.push_back(error);
      result.output_errors_normalized.push_back(normalized);
      result.total_error += normalized;
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
  size_t Index(size_t output, size_t trace, size_t point) const {
    return (output * n_traces_ + trace) * points_.size() + point;
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
    std::vector<double> errors;  // [output][lane]
    const BlockOutcome outcome = weights_ != nullptr
                                     ? Compare(block, errors)
                                     : Accumulate(block, errors);
    if (outcome.cancelled) return false;
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      if (outcome.diverged[lane]) {
        diverged_[trace * points_.size() + first + lane] =
            outcome.diverged[lane];
        continue;  // the errors stay NaN
      }
      for (size_t output = 0; output < n_outputs_; ++output) {
        errors_[Index(output, trace, first + lane)] =
            errors[output * width_ + lane];
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
    errors = std::move(comparison.sums);
    for (size_t output = 0; output < n_outputs_; ++output) {
      const double sum = (*weights_)[trace][output].sum;
      const Metric& metric = *experiment_.metrics[output];
      for (size_t lane = 0; lane < width_; ++lane) {
        double& error = errors[output * width_ + lane];
        error = sum > 0 ? metric.FromMeanSquare(error / sum) : kNaN;
      }
    }
    return outcome;
  }

  // The metrics see every step.
  BlockOutcome Accumulate(const Block& block,
                          std::vector<double>& errors) const {
    const Trace& data = experiment_.dataset->traces[block.trace];
    std::vector<std::unique_ptr<MetricAccumulator>> accumulators;
    for (size_t output = 0; output < n_outputs_; ++output) {
      accumulators.push_back(
          experiment_.metrics[output]->Start(data.targets[output], width_));
    }
    BlockOutcome outcome = SimulateBlock(
        experiment_.program, kernel_, data, block, nullptr,
        [&](size_t begin, size_t end, std::span<const double> rows) {
          for (size_t row = 0; row < (end - begin) * n_outputs_; ++row) {
            accumulators[row % n_outputs_]->Observe(
                begin + row / n_outputs_, rows.subspan(row * width_, width_));
          }
        },
        Cancelled());
    errors.resize(n_outputs_ * width_);
    if (outcome.cancelled) return outcome;
    for (size_t output = 0; output < n_outputs_; ++output) {
      accumulators[output]->Finish({&errors[output * width_], block.n_lanes});
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
  const size_t n_outputs_;
  const size_t n_blocks_;
  // [output][trace][point]; every unit writes a part of its own.
  std::vector<double> errors_;
  std::vector<std::optional<Divergence>> diverged_;  // [trace][point]
  std::vector<bool> counts_;  // [output][trace]: whether any step does
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
