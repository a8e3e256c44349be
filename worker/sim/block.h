#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/ir/program.h"
#include "worker/jit/kernel.h"
#include "worker/sim/divergence.h"
#include "worker/sim/round_place.h"

namespace somafit {

// What a kernel of variant kErrors compares the outputs of a trace with: see
// KernelCall. All per output; sums[output][lane] begin at 0.
struct Comparison {
  std::vector<const double*> targets;
  std::vector<const double*> weights;
  std::vector<double> sums;
};

// Sees the outputs of steps begin .. end-1, rows[step - begin][output][lane];
// NaN from where on a lane diverged.
using RowsObserver =
    std::function<void(size_t begin, size_t end, std::span<const double> rows)>;

struct BlockOutcome {
  bool cancelled = false;
  std::vector<std::optional<Divergence>> diverged;  // per lane
  std::vector<double> states;  // [state][lane], after the last step
};

// Points on one trace, a lane each; spare lanes repeat the last.
struct Block {
  size_t trace = 0;                    // its number
  size_t n_lanes = 0;                  // that matter
  std::vector<double> parameters;      // [parameter][lane], SI
  uint64_t seed = 0;                   // of what is drawn
  std::vector<uint64_t> realizations;  // per lane
};

// Points first .. first+n_lanes-1 of `points_si`, which stand at `place`, on
// one of `n_traces` traces.
Block MakeBlock(const Program& program,
                std::span<const std::vector<double>> points_si,
                const RoundPlace& place, size_t n_traces, size_t trace,
                size_t first, size_t n_lanes, size_t width);

// The same of any points, each by its number.
Block MakeBlock(const Program& program,
                std::span<const std::vector<double>> points_si,
                const RoundPlace& place, size_t n_traces, size_t trace,
                std::span<const size_t> chosen, size_t width);

// Simulates a block of `kernel.width()` lanes on `trace` in chunks of
// kCheckInterval steps. Exactly one of `comparison` and `rows` is given, as the
// kernel's variant asks for. When all lanes that matter have diverged, it ends
// early.
BlockOutcome SimulateBlock(const Program& program, const Kernel& kernel,
                           const Trace& trace, const Block& block,
                           Comparison* comparison, const RowsObserver& rows,
                           const std::function<bool()>& cancelled);

// Another way to a kernel than KernelFor, with its arguments.
using KernelSource =
    std::function<absl::StatusOr<std::shared_ptr<const Kernel>>(
        const Program& program, KernelVariant variant, size_t n_points)>;

// The interpreter in the place of native code: slow, and the same bits.
absl::StatusOr<std::shared_ptr<const Kernel>> InterpretingKernel(
    const Program& program, KernelVariant variant, size_t n_points);

// The kernel for `n_points` points on this processor; the interpreter for a
// program that is too large for native code.
absl::StatusOr<std::shared_ptr<const Kernel>> KernelFor(const Program& program,
                                                        KernelVariant variant,
                                                        size_t n_points);

}  // namespace somafit
