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
           const Block& block)
      : program_(program),
        kernel_(kernel),
        block_(block),
        n_lanes_(block.n_lanes),
        width_(static_cast<size_t>(kernel.width())),
        states_(program.states.size() * width_),
        before_(states_.size()),
        noise_(kCheckInterval * program.noises.size() * width_) {
    view_.n_steps = trace.n_steps();
    view_.inputs.assign(trace.inputs.begin(), trace.inputs.end());
    for (const size_t output : program.targets) {
      view_.inputs.emplace_back(trace.targets[output]);
    }
    for (const auto& input : view_.inputs) inputs_.push_back(input.data());
    for (const auto& array : program.arrays) arrays_.push_back(array->data());
    outcome_.diverged.resize(n_lanes_);
    call_.parameters = block.parameters.data();
    call_.noise = noise_.data();
    call_.arrays = arrays_.data();
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
    Draw(kInitialStep, kInitialStep + 1);
    kernel_.Start(block_.parameters.data(), states_.data(), noise_.data());
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
      Draw(call_.begin, call_.end);
      kernel_.Run(call_);
      Check(begin, end);
      if (comparison == nullptr) Show(begin, end, rows);
    }
    return std::move(outcome_);
  }

 private:
  void Draw(int64_t begin, int64_t end) {
    if (program_.noises.empty()) return;
    FillNoise(block_.seed, static_cast<uint32_t>(block_.trace),
              block_.realizations, program_.noises, begin, end, noise_.data());
  }

  Divergence Find(size_t lane, size_t begin, size_t end) {
    const std::vector<double> noise = LaneOf(noise_, width_, lane);
    view_.noise = noise;
    view_.noise_begin = begin;
    return FindDivergence(
        program_, view_, LaneOf(block_.parameters, width_, lane),
        LaneOf(end == 0 ? states_ : before_, width_, lane), begin, end);
  }

  // A variable without an equation may hold any number.
  std::span<const double> Integrated(const std::vector<double>& states) const {
    return std::span(states).first(
        (program_.states.size() - program_.n_variables) * width_);
  }

  void Check(size_t begin, size_t end) {
    const std::span<const double> checked = Integrated(states_);
    if (AreInRange(checked)) return;
    for (size_t lane = 0; lane < n_lanes_; ++lane) {
      if (outcome_.diverged[lane] || !IsOutOfRange(checked, width_, lane)) {
        continue;
      }
      ++n_diverged_;
      outcome_.diverged[lane] = Find(lane, begin, end);
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
  const Block& block_;
  const size_t n_lanes_;
  const size_t width_;
  TraceView view_;
  std::vector<const double*> inputs_, arrays_;
  std::vector<double> states_;  // [state][lane]
  std::vector<double> before_;  // at the start of the chunk
  std::vector<double> noise_;   // of the chunk, [step][source][lane]
  std::vector<double> rows_;
  KernelCall call_;
  size_t n_diverged_ = 0;
  BlockOutcome outcome_;
};

}  // namespace

BlockOutcome SimulateBlock(const Program& program, const Kernel& kernel,
                           const Trace& trace, const Block& block,
                           Comparison* comparison, const RowsObserver& rows,
                           const std::function<bool()>& cancelled) {
  return BlockRun(program, kernel, trace, block)
      .Run(comparison, rows, cancelled);
}

Block MakeBlock(const Program& program,
                std::span<const std::vector<double>> points_si,
                const RoundPlace& place, size_t n_traces, size_t trace,
                size_t first, size_t n_lanes, size_t width) {
  Block block{
      .trace = trace,
      .n_lanes = n_lanes,
      .parameters = std::vector<double>(program.parameters.size() * width),
      .seed = place.seed,
      .realizations = {}};
  const size_t n_own = program.n_own_parameters();
  const auto n_in_round = static_cast<double>(
      place.n_in_round > 0 ? place.n_in_round
                           : static_cast<int64_t>(points_si.size()));
  for (size_t lane = 0; lane < width; ++lane) {
    const size_t point = first + std::min(lane, n_lanes - 1);
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
