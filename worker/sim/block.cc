#include "worker/sim/block.h"

#include <algorithm>
#include <limits>

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// One lane of an array [item][lane].
std::vector<double> LaneOf(std::span<const double> values, size_t width,
                           size_t lane) {
  std::vector<double> result;
  for (size_t i = lane; i < values.size(); i += width) {
    result.push_back(values[i]);
  }
  return result;
}

class BlockRun {
 public:
  BlockRun(const Program& program, const Kernel& kernel, const Trace& trace,
           std::span<const double> parameters, size_t n_lanes)
      : program_(program),
        kernel_(kernel),
        parameters_(parameters),
        n_lanes_(n_lanes),
        width_(static_cast<size_t>(kernel.width())),
        states_(program.states.size() * width_),
        before_(states_.size()) {
    view_.n_steps = trace.n_steps();
    view_.inputs.assign(trace.inputs.begin(), trace.inputs.end());
    for (const size_t output : program.targets) {
      view_.inputs.emplace_back(trace.targets[output]);
    }
    for (const auto& input : view_.inputs) inputs_.push_back(input.data());
    outcome_.diverged.resize(n_lanes);
    call_.parameters = parameters.data();
    call_.states = states_.data();
    call_.inputs = inputs_.data();
    call_.n_steps = static_cast<int64_t>(view_.n_steps);
  }

  BlockOutcome Run(Comparison* comparison, const RowsObserver& rows,
                   const std::function<bool()>& cancelled) {
    if (comparison != nullptr) {
      call_.targets = comparison->targets.data();
      call_.weights = comparison->weights.data();
      call_.sums = comparison->sums.data();
    } else {
      rows_.resize(kCheckInterval * program_.outputs.size() * width_);
      call_.record = rows_.data();
    }
    kernel_.Start(parameters_.data(), states_.data());
    Check(0, 0);
    for (size_t begin = 0; begin < view_.n_steps && n_diverged_ < n_lanes_;
         begin += kCheckInterval) {
      if (cancelled && cancelled()) {
        outcome_.cancelled = true;
        break;
      }
      const size_t end = std::min(view_.n_steps, begin + kCheckInterval);
      before_ = states_;
      call_.begin = static_cast<int64_t>(begin);
      call_.end = static_cast<int64_t>(end);
      kernel_.Run(call_);
      Check(begin, end);
      if (comparison == nullptr) Show(begin, end, rows);
    }
    return std::move(outcome_);
  }

 private:
  void Check(size_t begin, size_t end) {
    if (AreInRange(states_)) return;
    for (size_t lane = 0; lane < n_lanes_; ++lane) {
      if (outcome_.diverged[lane] || !IsOutOfRange(states_, width_, lane)) {
        continue;
      }
      ++n_diverged_;
      outcome_.diverged[lane] = FindDivergence(
          program_, view_, LaneOf(parameters_, width_, lane),
          LaneOf(end == 0 ? states_ : before_, width_, lane), begin, end);
    }
  }

  void Show(size_t begin, size_t end, const RowsObserver& rows) {
    const size_t row_size = program_.outputs.size() * width_;
    const std::span<double> shown(rows_.data(), (end - begin) * row_size);
    for (size_t lane = 0; lane < n_lanes_; ++lane) {
      const auto& diverged = outcome_.diverged[lane];
      if (!diverged) continue;
      const size_t first = std::max(diverged->step, begin);
      for (size_t i = (first - begin) * row_size + lane; i < shown.size();
           i += width_) {
        shown[i] = kNaN;
      }
    }
    rows(begin, end, shown);
  }

  const Program& program_;
  const Kernel& kernel_;
  const std::span<const double> parameters_;
  const size_t n_lanes_;
  const size_t width_;
  TraceView view_;
  std::vector<const double*> inputs_;
  std::vector<double> states_;  // [state][lane]
  std::vector<double> before_;  // at the start of the chunk
  std::vector<double> rows_;
  KernelCall call_;
  size_t n_diverged_ = 0;
  BlockOutcome outcome_;
};

}  // namespace

BlockOutcome SimulateBlock(const Program& program, const Kernel& kernel,
                           const Trace& trace,
                           std::span<const double> parameters, size_t n_lanes,
                           Comparison* comparison, const RowsObserver& rows,
                           const std::function<bool()>& cancelled) {
  return BlockRun(program, kernel, trace, parameters, n_lanes)
      .Run(comparison, rows, cancelled);
}

std::vector<double> BlockParameters(
    std::span<const std::vector<double>> points_si, size_t first,
    size_t n_lanes, size_t width) {
  const size_t n_parameters = points_si[first].size();
  std::vector<double> parameters(n_parameters * width);
  for (size_t lane = 0; lane < width; ++lane) {
    const auto& point = points_si[first + std::min(lane, n_lanes - 1)];
    for (size_t p = 0; p < n_parameters; ++p) {
      parameters[p * width + lane] = point[p];
    }
  }
  return parameters;
}

absl::StatusOr<std::shared_ptr<const Kernel>> InterpretingKernel(
    const Program& program, KernelVariant variant, size_t /*n_points*/) {
  return MakeReferenceKernel(program, {.variant = variant});
}

absl::StatusOr<std::shared_ptr<const Kernel>> KernelFor(const Program& program,
                                                        KernelVariant variant,
                                                        size_t n_points) {
  if (!FitsNativeCode(program)) {
    return InterpretingKernel(program, variant, n_points);
  }
  KernelOptions options;
  options.variant = variant;
  // 16 lanes are two registers of AVX-512, whose chains of operations lie side
  // by side; fewer points would leave the second one empty.
  constexpr size_t kOneRegister = 8;
  options.width = options.isa == Isa::kAvx512 && n_points > kOneRegister &&
                          FitsNativeCode(program, 16)
                      ? 16
                      : 8;
  return CachedKernel(program, options);
}

}  // namespace somafit
