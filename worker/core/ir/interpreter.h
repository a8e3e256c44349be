#pragma once

#include <functional>
#include <span>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// One trace as the interpreter reads it. All signals have `n_steps` samples.
struct TraceView {
  size_t n_steps = 0;
  std::vector<std::span<const double>> inputs;  // per Program::inputs
};

// Sees the observed outputs of `n_lanes` lanes at `step`, before the update:
// outputs[o * n_lanes + lane].
using StepObserver =
    std::function<void(size_t step, std::span<const double> outputs)>;

// Runs `program` on one trace for `n_lanes` parameter sets at once; a lane's
// numbers never depend on its neighbours. `parameters[p * n_lanes + lane]`, SI.
// `observe` is called for step = 0 .. n_steps-1; return of `cancelled` true
// between steps ends the run early. Returns false if cancelled.
//
// This is the reference meaning of a Program: other kernels agree to the bit.
bool Interpret(const Program& program, const TraceView& trace, size_t n_lanes,
               std::span<const double> parameters, const StepObserver& observe,
               const std::function<bool()>& cancelled = {});

}  // namespace somafit
