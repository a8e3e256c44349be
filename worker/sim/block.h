#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/ir/program.h"
#include "worker/jit/kernel.h"
#include "worker/sim/divergence.h"

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
};

// Simulates a block of `kernel.width()` lanes on `trace` in chunks of
// kCheckInterval steps. `parameters[parameter][lane]`, SI. Exactly one of
// `comparison` and `rows` is given, as the kernel's variant asks for. Only the
// first `n_lanes` lanes matter: when all of them have diverged, it ends early.
BlockOutcome SimulateBlock(const Program& program, const Kernel& kernel,
                           const Trace& trace,
                           std::span<const double> parameters, size_t n_lanes,
                           Comparison* comparison, const RowsObserver& rows,
                           const std::function<bool()>& cancelled);

// Parameters of a block from points first .. first+n_lanes-1; spare lanes
// repeat the last.
std::vector<double> BlockParameters(
    std::span<const std::vector<double>> points_si, size_t first,
    size_t n_lanes, size_t width);

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
