#include "worker/sim/block.h"

#include <algorithm>
#include <numeric>

#include "worker/sim/solving_kernel.h"

namespace somafit {
namespace {

// What a solver makes of each lane takes far more time than the rest of a step.
constexpr int kSolvingWidth = 8;

absl::StatusOr<std::shared_ptr<const Kernel>> ReferencePart(
    const Program& program, KernelVariant variant, int width) {
  return MakeReferenceKernel(program, {.variant = variant, .width = width});
}

// The interpreter for a program that is too large for native code.
absl::StatusOr<std::shared_ptr<const Kernel>> NativePart(const Program& program,
                                                         KernelVariant variant,
                                                         int width) {
  if (!FitsNativeCode(program, width)) {
    return ReferencePart(program, variant, width);
  }
  KernelOptions options;
  options.variant = variant;
  options.width = width;
  // Of AVX-512 a register would have more lanes.
  if (width == 4) options.isa = Isa::kAvx2;
  return CachedKernel(program, options);
}

}  // namespace

Block MakeBlock(const Program& program,
                std::span<const std::vector<double>> points_si,
                const RoundPlace& place, size_t n_traces, size_t trace,
                std::span<const size_t> chosen, size_t width) {
  Block block{
      .trace = trace,
      .n_lanes = chosen.size(),
      .parameters = std::vector<double>(program.parameters.size() * width),
      .seed = place.seed,
      .realizations = {}};
  const size_t n_own = program.n_own_parameters();
  const auto n_in_round = static_cast<double>(
      place.n_in_round > 0 ? place.n_in_round
                           : static_cast<int64_t>(points_si.size()));
  for (size_t lane = 0; lane < width; ++lane) {
    const size_t point = chosen[std::min(lane, chosen.size() - 1)];
    block.realizations.push_back(static_cast<uint64_t>(place.first_sample) +
                                 point);
    for (size_t p = 0; p < n_own; ++p) {
      block.parameters[p * width + lane] = points_si[point][p];
    }
    const double number =
        static_cast<double>(place.first_in_round) + static_cast<double>(point);
    for (size_t g = 0; g < program.given.size(); ++g) {
      double& given = block.parameters[(n_own + g) * width + lane];
      switch (program.given[g]) {
        case Given::kIteration:
          given = static_cast<double>(place.iteration);
          break;
        case Given::kLaneNumber:
          given = number * static_cast<double>(n_traces) +
                  static_cast<double>(trace);
          break;
        case Given::kLaneCount:
          given = n_in_round * static_cast<double>(n_traces);
          break;
      }
    }
  }
  return block;
}

Block MakeBlock(const Program& program,
                std::span<const std::vector<double>> points_si,
                const RoundPlace& place, size_t n_traces, size_t trace,
                size_t first, size_t n_lanes, size_t width) {
  std::vector<size_t> chosen(n_lanes);
  std::iota(chosen.begin(), chosen.end(), first);
  return MakeBlock(program, points_si, place, n_traces, trace, chosen, width);
}

absl::StatusOr<std::shared_ptr<const Kernel>> InterpretingKernel(
    const Program& program, KernelVariant variant, size_t /*n_points*/) {
  if (!program.integration) {
    return MakeReferenceKernel(program, {.variant = variant});
  }
  return MakeSolvingKernel(program, variant, kSolvingWidth, ReferencePart);
}

absl::StatusOr<std::shared_ptr<const Kernel>> KernelFor(const Program& program,
                                                        KernelVariant variant,
                                                        size_t n_points) {
  if (program.integration) {
    return MakeSolvingKernel(program, variant, kSolvingWidth, NativePart);
  }
  return NativePart(program, variant, BestWidth(program, BestIsa(), n_points));
}

}  // namespace somafit
