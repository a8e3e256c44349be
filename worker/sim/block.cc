#include "worker/sim/block.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/sim/solving_kernel.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

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
        n_steps_(trace.n_steps()),
        noise_(kCheckInterval * program.noises.size() * width_) {
    for (const auto& input : trace.inputs) inputs_.push_back(input.data());
    for (const size_t output : program.targets) {
      inputs_.push_back(trace.targets[output].data());
    }
    for (const auto& array : program.arrays) arrays_.push_back(array->data());
    outcome_.diverged.resize(n_lanes_);
    call_.parameters = block.parameters.data();
    call_.noise = noise_.data();
    call_.arrays = arrays_.data();
    call_.states = states_.data();
    call_.inputs = inputs_.data();
    call_.n_steps = static_cast<int64_t>(n_steps_);
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
    Check(0, 0, cancelled);
    for (size_t begin = 0; begin < n_steps_ && n_diverged_ < n_lanes_;
         begin += kCheckInterval) {
      if (IsCancelled(cancelled)) break;
      const size_t end = std::min(n_steps_, begin + kCheckInterval);
      before_ = states_;
      call_.begin = static_cast<int64_t>(begin);
      call_.end = static_cast<int64_t>(end);
      Draw(call_.begin, call_.end);
      if (!RunChunk(cancelled)) break;
      Check(begin, end, cancelled);
      if (outcome_.cancelled) break;
      if (comparison == nullptr) Show(begin, end, rows);
    }
    outcome_.states = std::move(states_);
    return std::move(outcome_);
  }

 private:
  void Draw(int64_t begin, int64_t end) {
    if (program_.noises.empty()) return;
    FillNoise(block_.seed, static_cast<uint32_t>(block_.trace),
              block_.realizations, program_.noises, begin, end, noise_.data());
  }

  // A variable without an equation may hold any number.
  std::span<const double> Integrated(const std::vector<double>& states) const {
    return std::span(states).first(program_.n_integrated() * width_);
  }

  // The first state of a lane that is out of range; -1: none is. A solver that
  // gave up says so in the last state, whatever code did to the others.
  int Leaver(const std::vector<double>& states, size_t lane) const {
    const size_t last = program_.states.size() - 1;
    if (program_.integration && std::isnan(states[last * width_ + lane])) {
      return static_cast<int>(last);
    }
    return FirstOutOfRange(Integrated(states), width_, lane);
  }

  bool IsCancelled(const std::function<bool()>& cancelled) {
    outcome_.cancelled = outcome_.cancelled || (cancelled && cancelled());
    return outcome_.cancelled;
  }

  // False if cancelled. Solvers may take seconds for a few steps.
  bool RunChunk(const std::function<bool()>& cancelled) {
    const int64_t most = program_.integration ? 4 : call_.end - call_.begin;
    KernelCall call = call_;
    for (call.begin = call_.begin; call.begin < call_.end;
         call.begin = call.end) {
      if (call.begin > call_.begin && IsCancelled(cancelled)) return false;
      call.end = std::min(call.begin + most, call_.end);
      const auto done = static_cast<size_t>(call.begin - call_.begin);
      call.noise = call_.noise + done * program_.noises.size() * width_;
      if (call_.record != nullptr) {
        call.record = call_.record + done * program_.outputs.size() * width_;
      }
      kernel_.Run(call);
    }
    return true;
  }

  void Check(size_t begin, size_t end, const std::function<bool()>& cancelled) {
    if (!program_.integration && AreInRange(Integrated(states_))) return;
    std::vector<bool> left(n_lanes_);
    bool any = false;
    for (size_t lane = 0; lane < n_lanes_; ++lane) {
      left[lane] = !outcome_.diverged[lane] && Leaver(states_, lane) >= 0;
      any |= left[lane];
    }
    if (!any) return;
    left_ = std::move(left);
    if (end > 0) {
      Trail(begin, end, cancelled);
    } else {
      Note(states_, 0);
    }
  }

  // Runs the chunk again, step by step, to see where lanes diverged.
  void Trail(size_t begin, size_t end, const std::function<bool()>& cancelled) {
    std::vector<double> sums(program_.outputs.size() * width_);
    std::vector<double> row(sums.size());
    KernelCall call = call_;
    call.states = before_.data();
    if (call.sums != nullptr) call.sums = sums.data();
    if (call.record != nullptr) call.record = row.data();
    const size_t n_noises = program_.noises.size();
    for (size_t step = begin; step < end; ++step) {
      if (program_.integration && IsCancelled(cancelled)) return;
      Note(before_, step);
      call.begin = static_cast<int64_t>(step);
      call.end = call.begin + 1;
      call.noise = noise_.data() + (step - begin) * n_noises * width_;
      kernel_.Run(call);
    }
    Note(before_, end);
  }

  // Of the lanes that left, those that are out of range for the first time.
  void Note(const std::vector<double>& states, size_t step) {
    for (size_t lane = 0; lane < n_lanes_; ++lane) {
      if (!left_[lane] || outcome_.diverged[lane]) continue;
      const int state = Leaver(states, lane);
      if (state < 0) continue;
      outcome_.diverged[lane] = {step, static_cast<size_t>(state)};
      ++n_diverged_;
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
  std::vector<const double*> inputs_, arrays_;
  std::vector<double> states_;  // [state][lane]
  std::vector<double> before_;  // at the start of the chunk
  const size_t n_steps_;
  std::vector<double> noise_;  // of the chunk, [step][source][lane]
  std::vector<double> rows_;
  KernelCall call_;
  std::vector<bool> left_;  // lanes that left the range in the last chunk
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
