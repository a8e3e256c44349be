#pragma once

#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/recording.h"
#include "worker/core/ir/program.h"
#include "worker/sim/block.h"

namespace somafit {

// Simulates every point on every trace of `dataset`, whose targets are not
// read, on `threads` threads (at least one), and keeps what `program` observes.
//
// `points_si[i]` has one number per parameter of the model, in SI. Recording
// i belongs to point i, is laid out by ShapeOf(dataset, outputs of the program)
// and depends on that point, and where it stands, alone: not on the others,
// their order, or the number of threads. Where a simulation diverges (see
// divergence.h) its numbers are NaN from the first such step on.
//
// `cancelled` is asked from all threads at once. Cancelled once it is true,
// InvalidArgument for a point, or a dataset, that does not fit the program.
absl::StatusOr<std::vector<Recording>> RecordBatch(
    const Program& program, const Dataset& dataset,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled = {},
    const KernelSource& kernels = KernelFor, const RoundPlace& place = {});

}  // namespace somafit
