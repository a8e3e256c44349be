#include "worker/sim/abandoning.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "worker/sim/block_run.h"

namespace somafit {
namespace {

// Some points on their way through one trace.
class TraceRun {
 public:
  TraceRun(const BatchWork& work, std::span<const double> limits, size_t trace,
           BatchResults& results)
      : work_(work),
        limits_(limits),
        trace_(trace),
        width_(static_cast<size_t>(work.kernel.width())),
        results_(results),
        errors_(results.n_terms()) {}

  // Leaves those of `points`, at least one, that are to go on with the next
  // trace; they are in order. False if cancelled.
  bool Run(std::vector<size_t>& points,
           const std::function<bool()>& cancelled) {
    const Dataset& dataset = *work_.experiment.dataset;
    first_ = points.front();
    added_.resize((points.back() - first_ + 1) * errors_.size());
    for (const size_t point : points) {
      const std::vector<double> added = results_.AddedBefore(point, trace_);
      std::copy(added.begin(), added.end(),
                added_.begin() + static_cast<std::ptrdiff_t>((point - first_) *
                                                             errors_.size()));
    }
    for (size_t i = 0; i < points.size(); i += width_) {
      const auto chosen =
          std::span(points).subspan(i, std::min(width_, points.size() - i));
      blocks_.push_back(
          {std::make_unique<BlockRun>(
               work_.experiment.program, work_.kernel, dataset.traces[trace_],
               MakeBlock(work_.experiment.program, work_.points, work_.place,
                         dataset.traces.size(), trace_, chosen, width_),
               work_.squares.Compare(trace_, width_), nullptr),
           {chosen.begin(), chosen.end()}});
      blocks_.back().run->Start(cancelled);
    }
    Sift();
    const size_t n_steps = dataset.traces[trace_].n_steps();
    for (size_t step = 0; step < n_steps && !blocks_.empty();
         step += kCheckInterval) {
      for (PointBlock& block : blocks_) {
        if (!block.run->Advance(cancelled)) return false;
      }
      Sift();
    }
    points.clear();
    for (const PointBlock& block : blocks_) {
      for (size_t lane = 0; lane < block.points.size(); ++lane) {
        if (block.points[lane] == kGone) continue;
        SetErrors(*block.run, lane);
        for (size_t term = 0; term < errors_.size(); ++term) {
          results_.SetError(term, trace_, block.points[lane], errors_[term]);
        }
        points.push_back(block.points[lane]);
      }
    }
    std::sort(points.begin(), points.end());
    return true;
  }

 private:
  static constexpr size_t kGone = static_cast<size_t>(-1);
  struct PointBlock {
    std::unique_ptr<BlockRun> run;
    std::vector<size_t> points;  // of each lane; kGone: it matters no more
  };

  void SetErrors(const BlockRun& run, size_t lane) {
    for (size_t output = 0; output < work_.squares.n_outputs(); ++output) {
      errors_[work_.squares.TermOf(output)] = work_.squares.Error(
          trace_, output, run.sums()[output * width_ + lane]);
    }
  }

  // Lets go of points that have diverged or need no longer be simulated, and
  // moves the others together where that frees a block.
  void Sift() {
    size_t n_left = 0;
    for (PointBlock& block : blocks_) {
      for (size_t lane = 0; lane < block.points.size(); ++lane) {
        size_t& point = block.points[lane];
        if (point == kGone) continue;
        if (const auto& diverged = block.run->diverged(lane)) {
          results_.SetDivergence(trace_, point, *diverged);
          point = kGone;
          continue;
        }
        SetErrors(*block.run, lane);
        const auto added = std::span(added_).subspan(
            (point - first_) * errors_.size(), errors_.size());
        if (results_.TotalSoFar(added, trace_, errors_) > limits_[point]) {
          results_.SetAbandoned(point);
          point = kGone;
          continue;
        }
        ++n_left;
      }
    }
    if ((n_left + width_ - 1) / width_ < blocks_.size()) Compact();
  }

  void Compact() {
    std::vector<BlockRun::Lane> lanes;
    std::vector<size_t> points;
    for (const PointBlock& block : blocks_) {
      for (size_t lane = 0; lane < block.points.size(); ++lane) {
        if (block.points[lane] == kGone) continue;
        lanes.push_back({block.run.get(), lane});
        points.push_back(block.points[lane]);
      }
    }
    std::vector<PointBlock> compact;
    for (size_t i = 0; i < lanes.size(); i += width_) {
      const size_t n = std::min(width_, lanes.size() - i);
      compact.push_back(
          {std::make_unique<BlockRun>(std::span(lanes).subspan(i, n)),
           {points.begin() + static_cast<std::ptrdiff_t>(i),
            points.begin() + static_cast<std::ptrdiff_t>(i + n)}});
    }
    blocks_ = std::move(compact);
  }

  const BatchWork& work_;
  const std::span<const double> limits_;
  const size_t trace_;
  const size_t width_;
  BatchResults& results_;
  std::vector<PointBlock> blocks_;
  std::vector<double> errors_;  // of one lane, per term
  size_t first_ = 0;            // point
  std::vector<double> added_;   // [point from first_][term], by traces before
};

}  // namespace

bool SimulateWithLimits(const BatchWork& work, std::span<const double> limits,
                        size_t first, size_t count, BatchResults& results,
                        const std::function<bool()>& cancelled) {
  std::vector<size_t> points(count);
  std::iota(points.begin(), points.end(), first);
  const size_t n_traces = work.experiment.dataset->traces.size();
  for (size_t trace = 0; trace < n_traces && !points.empty(); ++trace) {
    if (!TraceRun(work, limits, trace, results).Run(points, cancelled)) {
      return false;
    }
  }
  return true;
}

}  // namespace somafit
