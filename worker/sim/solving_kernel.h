#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"

#include "worker/jit/kernel.h"

namespace somafit {

// A way to kernels of programs without an integration.
using PartSource = std::function<absl::StatusOr<std::shared_ptr<const Kernel>>(
    const Program& program, KernelVariant variant, int width)>;

// A kernel for a program with an integration: kernels of its parts
// (solver_parts.h), and a solver that gets one lane after another through each
// time step. A lane whose solver gives up is not a number from then on; what
// `parts` gives does not change a bit.
absl::StatusOr<std::shared_ptr<const Kernel>> MakeSolvingKernel(
    const Program& program, KernelVariant variant, int width,
    const PartSource& parts);

}  // namespace somafit
