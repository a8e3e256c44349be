#include "worker/sim/batch.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/ir/interpreter.h"

namespace somafit {
namespace {

// Points that are simulated side by side: the interpreter's rows then stay in
// the first-level cache.
constexpr size_t kBlock = 32;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class Batch {
 public:
  Batch(const Experiment& experiment,
        std::span<const std::vector<double>> points,
        const std::function<bool()>& cancelled)
      : experiment_(experiment),
        points_(points),
        cancelled_(cancelled),
        n_traces_(experiment.dataset->traces.size()),
        n_outputs_(experiment.metrics.size()),
        n_blocks_((points.size() + kBlock - 1) / kBlock),
        errors_(n_outputs_ * n_traces_ * points.size(), kNaN) {
    for (const Trace& trace : experiment.dataset->traces) {
      largest_weight_ = std::max(largest_weight_, trace.weight);
    }
  }

  size_t n_units() const { return n_traces_ * n_blocks_; }

  // Takes units until there are none; false if cancelled.
  void Work() {
    while (!stopped_) {
      const size_t unit = next_unit_++;
      if (unit >= n_units()) return;
      if (!Simulate(unit / n_blocks_, unit % n_blocks_ * kBlock)) {
        stopped_ = true;
      }
    }
  }

  bool stopped() const { return stopped_; }

  Evaluation Collect(size_t point) const {
    Evaluation result;
    for (size_t output = 0; output < n_outputs_; ++output) {
      const Metric& metric = *experiment_.metrics[output];
      double sum = 0;
      double weight_sum = 0;
      for (size_t trace = 0; trace < n_traces_; ++trace) {
        const Trace& data = experiment_.dataset->traces[trace];
        const double error = errors_[Index(output, trace, point)];
        result.trace_errors.push_back(error);
        if (metric.CountedSteps(data.targets[output]) == 0) continue;
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
    result.status = std::isfinite(result.total_error)
                        ? SampleStatus::kOk
                        : SampleStatus::kNonfinite;
    return result;
  }

 private:
  size_t Index(size_t output, size_t trace, size_t point) const {
    return (output * n_traces_ + trace) * points_.size() + point;
  }

  bool Simulate(size_t trace, size_t first) {
    const Program& program = experiment_.program;
    const Trace& data = experiment_.dataset->traces[trace];
    const size_t n_lanes = std::min(kBlock, points_.size() - first);
    std::vector<double> parameters(program.parameters.size() * n_lanes);
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      for (size_t p = 0; p < program.parameters.size(); ++p) {
        parameters[p * n_lanes + lane] = points_[first + lane][p];
      }
    }
    std::vector<std::unique_ptr<MetricAccumulator>> accumulators;
    for (size_t output = 0; output < n_outputs_; ++output) {
      accumulators.push_back(
          experiment_.metrics[output]->Start(data.targets[output], n_lanes));
    }
    TraceView view;
    view.n_steps = data.n_steps();
    view.inputs.assign(data.inputs.begin(), data.inputs.end());
    const auto observe = [&](size_t step, std::span<const double> outputs) {
      for (size_t output = 0; output < n_outputs_; ++output) {
        accumulators[output]->Observe(
            step, outputs.subspan(output * n_lanes, n_lanes));
      }
    };
    const auto stopped = [this] {
      return stopped_ || (cancelled_ && cancelled_());
    };
    if (!Interpret(program, view, n_lanes, parameters, observe, stopped)) {
      return false;
    }
    for (size_t output = 0; output < n_outputs_; ++output) {
      accumulators[output]->Finish(
          {&errors_[Index(output, trace, first)], n_lanes});
    }
    return true;
  }

  const Experiment& experiment_;
  const std::span<const std::vector<double>> points_;
  const std::function<bool()>& cancelled_;
  const size_t n_traces_;
  const size_t n_outputs_;
  const size_t n_blocks_;
  // [output][trace][point]; every unit writes a part of its own.
  std::vector<double> errors_;
  // Weights are relative to it, so that no sum of them overflows.
  double largest_weight_ = 0;
  std::atomic<size_t> next_unit_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

absl::StatusOr<std::vector<Evaluation>> EvaluateBatch(
    const Experiment& experiment,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled) {
  const size_t n_parameters = experiment.program.parameters.size();
  for (size_t i = 0; i < points_si.size(); ++i) {
    if (points_si[i].size() == n_parameters) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "point ", i, " has ", points_si[i].size(),
        " numbers, but the model has ", n_parameters, " parameters"));
  }
  Batch batch(experiment, points_si, cancelled);
  {
    const size_t n_threads = std::min<size_t>(
        static_cast<size_t>(std::max(threads, 1)), batch.n_units());
    std::vector<std::jthread> others;
    for (size_t i = 1; i < n_threads; ++i) {
      others.emplace_back([&batch] { batch.Work(); });
    }
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
