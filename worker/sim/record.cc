#include "worker/sim/record.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"
#include "worker/sim/block.h"
#include "worker/sim/threads.h"

namespace somafit {
namespace {

// Runs `points` on one trace and writes their series, from `offset` on, into
// `recordings`. False if cancelled.
bool RecordBlock(const Program& program, const Kernel& kernel,
                 const Trace& trace, size_t offset, const Block& block,
                 std::span<Recording> recordings,
                 const std::function<bool()>& cancelled) {
  const auto width = static_cast<size_t>(kernel.width());
  const size_t n_lanes = block.n_lanes;
  const size_t n_outputs = program.outputs.size();
  const size_t n_steps = trace.n_steps();
  const auto keep = [&](size_t begin, size_t end,
                        std::span<const double> rows) {
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      for (size_t output = 0; output < n_outputs; ++output) {
        double* const series = &recordings[lane][offset + output * n_steps];
        for (size_t step = begin; step < end; ++step) {
          series[step] =
              rows[((step - begin) * n_outputs + output) * width + lane];
        }
      }
    }
  };
  return !SimulateBlock(program, kernel, trace, block, nullptr, keep, cancelled)
              .cancelled;
}

absl::Status CheckFits(const Program& program, const Dataset& dataset,
                       std::span<const std::vector<double>> points) {
  for (size_t i = 0; i < points.size(); ++i) {
    if (points[i].size() == program.n_own_parameters()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "point ", i, " has ", points[i].size(), " numbers, but the model has ",
        program.n_own_parameters(), " parameters"));
  }
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const size_t n_inputs = dataset.traces[i].inputs.size();
    const size_t wanted = program.inputs.size() - program.targets.size();
    if (n_inputs == wanted) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("trace ", i, " has ", n_inputs,
                     " input signals, but the model has ", wanted, " inputs"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Recording>> RecordBatch(
    const Program& program, const Dataset& dataset,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled, const KernelSource& kernels,
    const RoundPlace& place) {
  SOMAFIT_RETURN_IF_ERROR(CheckFits(program, dataset, points_si));
  const RecordingShape shape = ShapeOf(dataset, program.outputs.size());
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Kernel> kernel,
      kernels(program, KernelVariant::kRecord, points_si.size()));
  const auto width = static_cast<size_t>(kernel->width());
  // NaN stays where a block ends early, since all of it has diverged.
  std::vector<Recording> recordings(
      points_si.size(),
      Recording(shape.size(), std::numeric_limits<double>::quiet_NaN()));
  const size_t n_blocks = (points_si.size() + width - 1) / width;
  const size_t n_units = dataset.traces.size() * n_blocks;
  std::atomic<size_t> next_unit = 0;
  std::atomic<bool> stopped = false;
  const auto is_stopped = [&] { return stopped || (cancelled && cancelled()); };
  // Takes units, each a trace and a block of points, until there are none.
  const auto work = [&] {
    while (!stopped) {
      const size_t unit = next_unit++;
      if (unit >= n_units) return;
      const size_t trace = unit / n_blocks;
      const size_t first = unit % n_blocks * width;
      const size_t n = std::min(width, points_si.size() - first);
      const Block block =
          MakeBlock(program, points_si, place, dataset.traces.size(), trace,
                    first, n, width);
      if (!RecordBlock(program, *kernel, dataset.traces[trace],
                       shape.Offset(trace, 0), block,
                       std::span(recordings).subspan(first, n), is_stopped)) {
        stopped = true;
      }
    }
  };
  {
    const size_t n_threads =
        std::min<size_t>(static_cast<size_t>(std::max(threads, 1)), n_units);
    const std::vector<std::jthread> others =
        StartThreads(n_threads - std::min<size_t>(n_threads, 1), work);
    work();
  }
  if (stopped) return absl::CancelledError("batch was cancelled");
  return recordings;
}

}  // namespace somafit
