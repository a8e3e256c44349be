#include "worker/sim/batch.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"
#include "worker/sim/abandoning.h"
#include "worker/sim/batch_results.h"
#include "worker/sim/block.h"
#include "worker/sim/penalty.h"
#include "worker/sim/squares.h"
#include "worker/sim/threads.h"

namespace somafit {
namespace {

class Batch {
 public:
  Batch(const Experiment& experiment, const Kernel& kernel,
        const Squares& squares, std::span<const std::vector<double>> points,
        std::span<const double> limits, int threads,
        const std::function<bool()>& cancelled, const RoundPlace& place)
      : experiment_(experiment),
        kernel_(kernel),
        squares_(squares),
        points_(points),
        limits_(limits),
        cancelled_(cancelled),
        place_(place),
        width_(static_cast<size_t>(kernel.width())),
        n_traces_(experiment.dataset->traces.size()),
        n_blocks_((points.size() + width_ - 1) / width_),
        results_(experiment, points.size()),
        n_terms_(results_.n_terms()) {
    const auto n_threads = static_cast<size_t>(std::max(threads, 1));
    // Points with limits go through all traces in one thread's hands.
    blocks_a_unit_ =
        limits.empty() ? 1 : std::max<size_t>(n_blocks_ / n_threads, 1);
    n_units_ = limits.empty()
                   ? n_traces_ * n_blocks_
                   : (n_blocks_ + blocks_a_unit_ - 1) / blocks_a_unit_;
    size_t longest = 0;
    for (const Trace& trace : experiment.dataset->traces) {
      longest = std::max(longest, trace.n_steps());
    }
    zeros_.resize(longest);
  }

  size_t n_units() const { return n_units_; }

  // Takes units until there are none; false if cancelled.
  void Work() {
    while (!stopped_) {
      const size_t unit = next_unit_++;
      if (unit >= n_units_) return;
      if (!Simulate(unit)) stopped_ = true;
    }
  }

  bool stopped() const { return stopped_; }
  Evaluation Collect(size_t point) const { return results_.Collect(point); }

 private:
  bool Simulate(size_t unit) {
    if (limits_.empty()) {
      return SimulateTrace(unit / n_blocks_, unit % n_blocks_ * width_);
    }
    const size_t first = unit * blocks_a_unit_ * width_;
    return SimulateWithLimits(
        {experiment_, kernel_, squares_, points_, place_}, limits_, first,
        std::min(blocks_a_unit_ * width_, points_.size() - first), results_,
        Cancelled());
  }

  bool SimulateTrace(size_t trace, size_t first) {
    const size_t n_lanes = std::min(width_, points_.size() - first);
    const Block block = MakeBlock(experiment_.program, points_, place_,
                                  n_traces_, trace, first, n_lanes, width_);
    std::vector<double> errors;  // [term][lane]
    const BlockOutcome outcome =
        experiment_.raw_columns.raw()   ? Keep(block, first)
        : !experiment_.features.empty() ? LookAt(block, errors)
        : squares_.apply()              ? Compare(block, errors)
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
        results_.SetDivergence(trace, first + lane, *outcome.diverged[lane]);
        results_.ForgetTrace(trace, first + lane);
        continue;  // the errors stay NaN
      }
      for (size_t term = 0; term < n_terms_; ++term) {
        results_.SetError(term, trace, first + lane,
                          errors[term * width_ + lane]);
      }
      if (!penalties.empty()) {
        results_.SetPenalty(trace, first + lane, penalties[lane]);
      }
    }
    return true;
  }

  // The kernel adds up the errors.
  BlockOutcome Compare(const Block& block, std::vector<double>& errors) const {
    Comparison comparison = squares_.Compare(block.trace, width_);
    BlockOutcome outcome = SimulateBlock(
        experiment_.program, kernel_, experiment_.dataset->traces[block.trace],
        block, &comparison, {}, Cancelled());
    errors.resize(n_terms_ * width_);
    for (size_t output = 0; output < squares_.n_outputs(); ++output) {
      for (size_t lane = 0; lane < width_; ++lane) {
        errors[squares_.TermOf(output) * width_ + lane] = squares_.Error(
            block.trace, output, comparison.sums[output * width_ + lane]);
      }
    }
    return outcome;
  }

  // The metrics see every step.
  BlockOutcome Accumulate(const Block& block,
                          std::vector<double>& errors) const {
    std::vector<std::vector<std::span<const double>>> targets;
    std::vector<std::unique_ptr<MetricAccumulator>> accumulators;
    for (const Term& term : experiment_.terms) {
      targets.push_back(
          TargetsOf(term, *experiment_.dataset, block.trace, zeros_));
      accumulators.push_back(term.metric->StartGroup(targets.back(), width_));
    }
    std::vector<double> group;  // [output of the term][lane]
    BlockOutcome outcome =
        SeeSteps(block, [&](size_t step, std::span<const double> row) {
          for (size_t t = 0; t < n_terms_; ++t) {
            const std::vector<size_t>& outputs = experiment_.terms[t].outputs;
            if (outputs.size() == 1) {
              accumulators[t]->Observe(
                  step, row.subspan(outputs[0] * width_, width_));
              continue;
            }
            group.clear();
            for (const size_t output : outputs) {
              const auto lanes = row.subspan(output * width_, width_);
              group.insert(group.end(), lanes.begin(), lanes.end());
            }
            accumulators[t]->Observe(step, group);
          }
        });
    errors.resize(n_terms_ * width_);
    if (outcome.cancelled) return outcome;
    for (size_t t = 0; t < n_terms_; ++t) {
      accumulators[t]->Finish({&errors[t * width_], block.n_lanes});
    }
    return outcome;
  }

  // The features see every step.
  BlockOutcome LookAt(const Block& block, std::vector<double>& values) const {
    const size_t n_steps = experiment_.dataset->traces[block.trace].n_steps();
    std::vector<std::unique_ptr<FeatureAccumulator>> accumulators;
    for (const FeatureTerm& term : experiment_.features) {
      accumulators.push_back(term.feature->Start(n_steps, width_));
    }
    BlockOutcome outcome = SeeSteps(block, [&](size_t step,
                                               std::span<const double> row) {
      for (size_t f = 0; f < n_terms_; ++f) {
        const size_t output = experiment_.features[f].output;
        accumulators[f]->Observe(step, row.subspan(output * width_, width_));
      }
    });
    values.resize(n_terms_ * width_);
    if (outcome.cancelled) return outcome;
    for (size_t f = 0; f < n_terms_; ++f) {
      accumulators[f]->Finish({&values[f * width_], block.n_lanes});
    }
    return outcome;
  }

  // x has every step, or one of several. `first`: the block's first point.
  BlockOutcome Keep(const Block& block, size_t first) {
    std::vector<const TraceSegment*> own;
    for (const TraceSegment& segment : experiment_.raw_columns.segments()) {
      if (segment.trace == block.trace) own.push_back(&segment);
    }
    return SeeSteps(block, [&](size_t step, std::span<const double> row) {
      for (const TraceSegment* const segment : own) {
        if (step < segment->first_step) continue;
        const size_t behind = step - segment->first_step;
        const size_t k = behind / segment->every;
        if (k >= segment->count || k * segment->every != behind) continue;
        const auto lanes = row.subspan(segment->output * width_, block.n_lanes);
        for (size_t lane = 0; lane < lanes.size(); ++lane) {
          results_.SetRaw(first + lane, segment->column + k, lanes[lane]);
        }
      }
    });
  }

  // Calls `observe(step, row)` with the row [output][lane] of every step.
  template <typename Observe>
  BlockOutcome SeeSteps(const Block& block, const Observe& observe) const {
    return SimulateBlock(
        experiment_.program, kernel_, experiment_.dataset->traces[block.trace],
        block, nullptr,
        [&](size_t begin, size_t end, std::span<const double> rows) {
          const size_t row_size = experiment_.program.outputs.size() * width_;
          for (size_t step = begin; step < end; ++step) {
            observe(step, rows.subspan((step - begin) * row_size, row_size));
          }
        },
        Cancelled());
  }

  std::function<bool()> Cancelled() const {
    return [this] { return stopped_ || (cancelled_ && cancelled_()); };
  }

  const Experiment& experiment_;
  const Kernel& kernel_;
  const Squares& squares_;
  const std::span<const std::vector<double>> points_;
  const std::span<const double> limits_;  // one a point; empty: there are none
  const std::function<bool()>& cancelled_;
  const RoundPlace& place_;
  const size_t width_;
  const size_t n_traces_;
  const size_t n_blocks_;
  size_t blocks_a_unit_ = 1;
  size_t n_units_ = 0;
  BatchResults results_;       // every unit writes a part of its own
  const size_t n_terms_;       // or features
  std::vector<double> zeros_;  // the target of errors in the model language
  std::atomic<size_t> next_unit_ = 0;
  std::atomic<bool> stopped_ = false;
};

// Limits that say nothing are as none.
absl::StatusOr<std::span<const double>> CheckLimits(
    const Experiment& experiment, const Squares& squares, size_t n_points,
    std::span<const double> limits) {
  const bool any = std::any_of(limits.begin(), limits.end(), [](double limit) {
    return limit < std::numeric_limits<double>::infinity();
  });
  if (!any) return std::span<const double>();
  if (limits.size() != n_points) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", limits.size(), " limits for ", n_points,
                     " points; give one for each"));
  }
  if (!experiment.features.empty()) {
    return absl::InvalidArgumentError(
        "limits are of errors, but features are wanted; leave \"abandon\" out");
  }
  if (!squares.apply() || experiment.penalty) {
    return absl::InvalidArgumentError(
        "limits need a total error of mean squares alone, which only grows; "
        "leave \"abandon\" out");
  }
  return limits;
}

}  // namespace

absl::Status PrepareBatch(const Experiment& experiment, size_t n_points,
                          const KernelSource& kernels) {
  return kernels(experiment.program, Squares(experiment).variant(), n_points)
      .status();
}

absl::StatusOr<std::vector<Evaluation>> EvaluateBatch(
    const Experiment& experiment,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled, const KernelSource& kernels,
    const RoundPlace& place, std::span<const double> limits) {
  const size_t n_parameters = experiment.program.n_own_parameters();
  for (size_t i = 0; i < points_si.size(); ++i) {
    if (points_si[i].size() == n_parameters) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "point ", i, " has ", points_si[i].size(),
        " numbers, but the model has ", n_parameters, " parameters"));
  }
  const Squares squares(experiment);
  SOMAFIT_ASSIGN_OR_RETURN(
      limits, CheckLimits(experiment, squares, points_si.size(), limits));
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Kernel> kernel,
      kernels(experiment.program, squares.variant(), points_si.size()));
  Batch batch(experiment, *kernel, squares, points_si, limits, threads,
              cancelled, place);
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
