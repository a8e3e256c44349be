#include "worker/sim/block_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "worker/core/base/check.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Takes lane `from` of `source`, [row][lane], over as lane `to`.
template <typename Row>
void TakeLane(const std::vector<Row>& source, size_t from, size_t to,
              size_t width, std::vector<Row>& target) {
  for (size_t i = 0; i < source.size(); i += width) {
    target[i + to] = source[i + from];
  }
}

}  // namespace

BlockRun::BlockRun(const Program& program, const Kernel& kernel,
                   const Trace& trace, Block block,
                   std::optional<Comparison> comparison,
                   const RowsObserver* rows)
    : program_(program),
      kernel_(kernel),
      trace_(trace),
      block_(std::move(block)),
      comparison_(std::move(comparison)),
      rows_observer_(rows),
      n_lanes_(block_.n_lanes),
      width_(static_cast<size_t>(kernel.width())),
      n_steps_(trace.n_steps()),
      states_(program.states.size() * width_),
      before_(states_.size()),
      noise_(kCheckInterval * program.noises.size() * width_),
      diverged_(n_lanes_) {
  SOMAFIT_CHECK(comparison_.has_value() != (rows != nullptr));
  Point();
}

BlockRun::BlockRun(std::span<const Lane> lanes)
    : BlockRun(lanes[0].run->program_, lanes[0].run->kernel_,
               lanes[0].run->trace_, lanes[0].run->block_,
               lanes[0].run->comparison_, lanes[0].run->rows_observer_) {
  SOMAFIT_CHECK(lanes.size() <= width_);
  next_ = lanes[0].run->next_;
  n_lanes_ = block_.n_lanes = lanes.size();
  diverged_.assign(n_lanes_, std::nullopt);
  for (size_t to = 0; to < width_; ++to) {
    // Spare lanes repeat the last.
    const auto& [run, from] = lanes[std::min(to, n_lanes_ - 1)];
    SOMAFIT_CHECK(run->next_ == next_ && &run->trace_ == &trace_);
    TakeLane(run->block_.parameters, from, to, width_, block_.parameters);
    TakeLane(run->block_.realizations, from, to, width_, block_.realizations);
    TakeLane(run->states_, from, to, width_, states_);
    if (comparison_) {
      TakeLane(run->comparison_->sums, from, to, width_, comparison_->sums);
    }
    if (to >= n_lanes_) continue;
    diverged_[to] = run->diverged_[from];
    if (diverged_[to]) ++n_diverged_;
  }
}

// Where a kernel finds everything.
void BlockRun::Point() {
  for (const auto& input : trace_.inputs) inputs_.push_back(input.data());
  for (const size_t output : program_.targets) {
    inputs_.push_back(trace_.targets[output].data());
  }
  for (const auto& array : program_.arrays) arrays_.push_back(array->data());
  call_.parameters = block_.parameters.data();
  call_.noise = noise_.data();
  call_.arrays = arrays_.data();
  call_.states = states_.data();
  call_.inputs = inputs_.data();
  call_.n_steps = static_cast<int64_t>(n_steps_);
  if (comparison_) {
    call_.targets = comparison_->targets.data();
    call_.weights = comparison_->weights.data();
    call_.sums = comparison_->sums.data();
  } else {
    rows_.resize(kCheckInterval * program_.outputs.size() * width_);
    call_.record = rows_.data();
  }
}

void BlockRun::Start(const std::function<bool()>& cancelled) {
  Draw(kInitialStep, kInitialStep + 1);
  kernel_.Start(block_.parameters.data(), states_.data(), noise_.data());
  Check(0, 0, cancelled);
}

bool BlockRun::Advance(const std::function<bool()>& cancelled) {
  if (IsCancelled(cancelled)) return false;
  const size_t begin = next_;
  const size_t end = std::min(n_steps_, begin + kCheckInterval);
  before_ = states_;
  call_.begin = static_cast<int64_t>(begin);
  call_.end = static_cast<int64_t>(end);
  Draw(call_.begin, call_.end);
  if (!RunChunk(cancelled)) return false;
  Check(begin, end, cancelled);
  if (cancelled_) return false;
  if (!comparison_) Show(begin, end);
  next_ = end;
  return true;
}

void BlockRun::Draw(int64_t begin, int64_t end) {
  if (program_.noises.empty()) return;
  FillNoise(block_.seed, static_cast<uint32_t>(block_.trace),
            block_.realizations, program_.noises, begin, end, noise_.data());
}

// A variable without an equation may hold any number.
std::span<const double> BlockRun::Integrated(
    const std::vector<double>& states) const {
  return std::span(states).first(program_.n_integrated() * width_);
}

// The first state of a lane that is out of range; -1: none is. A solver that
// gave up says so in the last state, whatever code did to the others.
int BlockRun::Leaver(const std::vector<double>& states, size_t lane) const {
  const size_t last = program_.states.size() - 1;
  if (program_.integration && std::isnan(states[last * width_ + lane])) {
    return static_cast<int>(last);
  }
  return FirstOutOfRange(Integrated(states), width_, lane);
}

bool BlockRun::IsCancelled(const std::function<bool()>& cancelled) {
  cancelled_ = cancelled_ || (cancelled && cancelled());
  return cancelled_;
}

// False if cancelled. Solvers may take seconds for a few steps.
bool BlockRun::RunChunk(const std::function<bool()>& cancelled) {
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

void BlockRun::Check(size_t begin, size_t end,
                     const std::function<bool()>& cancelled) {
  if (!program_.integration && AreInRange(Integrated(states_))) return;
  std::vector<bool> left(n_lanes_);
  bool any = false;
  for (size_t lane = 0; lane < n_lanes_; ++lane) {
    left[lane] = !diverged_[lane] && Leaver(states_, lane) >= 0;
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
void BlockRun::Trail(size_t begin, size_t end,
                     const std::function<bool()>& cancelled) {
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
void BlockRun::Note(const std::vector<double>& states, size_t step) {
  for (size_t lane = 0; lane < n_lanes_; ++lane) {
    if (!left_[lane] || diverged_[lane]) continue;
    const int state = Leaver(states, lane);
    if (state < 0) continue;
    diverged_[lane] = {step, static_cast<size_t>(state)};
    ++n_diverged_;
  }
}

void BlockRun::Show(size_t begin, size_t end) {
  const size_t row_size = program_.outputs.size() * width_;
  const std::span<double> shown(rows_.data(), (end - begin) * row_size);
  for (size_t lane = 0; lane < n_lanes_; ++lane) {
    const auto& diverged = diverged_[lane];
    if (!diverged) continue;
    const size_t first = std::max(diverged->step, begin);
    for (size_t i = (first - begin) * row_size + lane; i < shown.size();
         i += width_) {
      shown[i] = kNaN;
    }
  }
  (*rows_observer_)(begin, end, shown);
}

BlockOutcome SimulateBlock(const Program& program, const Kernel& kernel,
                           const Trace& trace, const Block& block,
                           Comparison* comparison, const RowsObserver& rows,
                           const std::function<bool()>& cancelled) {
  std::optional<Comparison> compared;
  if (comparison != nullptr) compared = *comparison;
  BlockRun run(program, kernel, trace, block, std::move(compared),
               comparison != nullptr ? nullptr : &rows);
  BlockOutcome outcome;
  run.Start(cancelled);
  while (!run.done() && !outcome.cancelled) {
    outcome.cancelled = !run.Advance(cancelled);
  }
  if (comparison != nullptr) {
    comparison->sums.assign(run.sums().begin(), run.sums().end());
  }
  for (size_t lane = 0; lane < block.n_lanes; ++lane) {
    outcome.diverged.push_back(run.diverged(lane));
  }
  outcome.states.assign(run.states().begin(), run.states().end());
  return outcome;
}

}  // namespace somafit
