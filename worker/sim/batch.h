#pragma once

#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/evaluation.h"
#include "worker/sim/block.h"
#include "worker/sim/experiment.h"

namespace somafit {

// Simulates every point on every trace and compares with the targets, on
// `threads` threads (at least one).
//
// `points_si[i]` has one number per parameter of the model, in SI. Result i
// belongs to point i and depends on that point, and where it stands, alone: not
// on the others, their order, or the number of threads.
//
// The error of a term is the mean over traces, weighted by Trace::weight, of
// those traces in which any step counts; the total is the sum of the normalized
// errors over terms, and of the penalty's mean over all traces. A point whose
// simulation diverges (see divergence.h) has the status kNonfinite, the first
// step and state in its reason.
//
// With features nothing is compared: the features take the places of terms,
// trace_errors[feature][trace] are their values, output_errors the means over
// traces, each trace counting as much, and the total is 0. A point with a value
// that is not finite has the status kNonfinite, the first such feature and
// trace in its reason, and as ever no total.
//
// With raw traces raw_x has all columns of x, as float32, and there are neither
// terms nor errors. A sample with a number that is not finite is kNonfinite,
// the first such column in its reason; of a trace that diverges x has none.
//
// `cancelled` is asked from all threads at once. Cancelled once it is true,
// InvalidArgument for a point of the wrong length, and for limits where the
// total does not only grow.
absl::StatusOr<std::vector<Evaluation>> EvaluateBatch(
    const Experiment& experiment,
    std::span<const std::vector<double>> points_si, int threads,
    const std::function<bool()>& cancelled = {},
    const KernelSource& kernels = KernelFor, const RoundPlace& place = {},
    std::span<const double> limits = {});

// Compiles beforehand what a batch of `n_points` points will need.
absl::Status PrepareBatch(const Experiment& experiment, size_t n_points,
                          const KernelSource& kernels = KernelFor);

}  // namespace somafit
