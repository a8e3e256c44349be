#include "worker/sim/solving_kernel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "worker/core/base/status.h"
#include "worker/core/ir/solver_parts.h"
#include "worker/sim/solver.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Lanes of a right-hand side's kernel, of which one is used.
constexpr int kSideWidth = 4;

struct Kernels {
  std::shared_ptr<const Kernel> before, slopes, after;
  std::shared_ptr<const Kernel> jacobian;  // null: the solver needs none
};

// One lane's right-hand side, by kernels.
class CompiledRightSide final : public RightSide {
 public:
  CompiledRightSide(const SolverParts& parts, const Kernels& kernels,
                    const double* const* arrays)
      : kernels_(kernels),
        n_(parts.slopes.outputs.size()),
        parameters_(parts.slopes.parameters.size() * kSideWidth),
        slopes_(n_ * kSideWidth),
        derivatives_(parts.jacobian.outputs.size() * kSideWidth) {
    call_.end = 1;
    call_.n_steps = 1;
    call_.parameters = parameters_.data();
    call_.arrays = arrays;
  }

  // What the lane takes from the step.
  void Take(const double* crossings, size_t width, size_t lane) {
    const size_t n_crossings = parameters_.size() / kSideWidth - n_ - 1;
    for (size_t i = 0; i < n_crossings; ++i) {
      Set(n_ + 1 + i, crossings[i * width + lane]);
    }
  }

  void Slopes(const double* states, double elapsed, double* slopes) override {
    Run(*kernels_.slopes, states, elapsed, slopes_);
    for (size_t i = 0; i < n_; ++i) slopes[i] = slopes_[i * kSideWidth];
  }

  void Jacobian(const double* states, double elapsed, double* by_state,
                double* by_time) override {
    Run(*kernels_.jacobian, states, elapsed, derivatives_);
    for (size_t i = 0; i < n_ * n_; ++i) {
      by_state[i] = derivatives_[i * kSideWidth];
    }
    for (size_t i = 0; i < n_; ++i) {
      by_time[i] = derivatives_[(n_ * n_ + i) * kSideWidth];
    }
  }

 private:
  void Set(size_t parameter, double value) {
    std::fill_n(&parameters_[parameter * kSideWidth], kSideWidth, value);
  }

  void Run(const Kernel& kernel, const double* states, double elapsed,
           std::vector<double>& results) {
    for (size_t i = 0; i < n_; ++i) Set(i, states[i]);
    Set(n_, elapsed);
    call_.record = results.data();
    kernel.Run(call_);
  }

  const Kernels& kernels_;
  const size_t n_;                  // states that are integrated
  std::vector<double> parameters_;  // [parameter][lane]
  std::vector<double> slopes_, derivatives_;
  KernelCall call_;
};

class SolvingKernel final : public Kernel {
 public:
  SolvingKernel(const Program& program, SolverParts parts, Kernels kernels,
                int width)
      : parts_(std::move(parts)),
        kernels_(std::move(kernels)),
        integration_(*program.integration),
        dt_(program.dt),
        n_parameters_(program.parameters.size()),
        n_states_(program.states.size()),
        n_integrated_(program.n_integrated()),
        n_outputs_(program.outputs.size()),
        n_noises_(program.noises.size()),
        keeps_step_(integration_.options.use_last_timestep),
        width_(static_cast<size_t>(width)) {}

  int width() const override { return static_cast<int>(width_); }

  void Start(const double* parameters, double* states,
             const double* noise) const override {
    kernels_.after->Start(Extended(parameters).data(), states, noise);
  }

  void Run(const KernelCall& call) const override {
    std::vector<double> parameters = Extended(call.parameters);
    Scratch scratch{std::vector<double>(parts_.before.outputs.size() * width_),
                    std::vector<double>(n_integrated_),
                    CompiledRightSide(parts_, kernels_, call.arrays),
                    MakeSolver(integration_)};
    KernelCall step = call;
    step.parameters = parameters.data();
    for (int64_t k = call.begin; k < call.end; ++k) {
      const size_t row = static_cast<size_t>(k - call.begin);
      step.begin = k;
      step.end = k + 1;
      if (call.noise != nullptr) {
        step.noise = call.noise + row * n_noises_ * width_;
      }
      step.record = scratch.taken.data();
      kernels_.before->Run(step);
      for (size_t lane = 0; lane < width_; ++lane) {
        SolveLane(lane, &call.states[(n_states_ - 1) * width_], scratch,
                  &parameters[n_parameters_ * width_]);
      }
      step.record = call.record == nullptr
                        ? nullptr
                        : call.record + row * n_outputs_ * width_;
      kernels_.after->Run(step);
    }
  }

 private:
  struct Scratch {
    std::vector<double> taken;  // what `before` observes, [output][lane]
    std::vector<double> states;
    CompiledRightSide right_side;
    std::unique_ptr<Solver> solver;
  };

  std::vector<double> Extended(const double* parameters) const {
    std::vector<double> extended((n_parameters_ + n_states_) * width_);
    std::copy_n(parameters, n_parameters_ * width_, extended.begin());
    return extended;
  }

  // `steps` are the solver's own states.
  void SolveLane(size_t lane, const double* steps, Scratch& scratch,
                 double* solved) const {
    // Spare lanes repeat the last.
    if (lane > 0 && IsSame(steps, 1, lane) &&
        IsSame(scratch.taken.data(), parts_.before.outputs.size(), lane)) {
      for (size_t i = 0; i < n_states_; ++i) {
        solved[i * width_ + lane] = solved[i * width_ + lane - 1];
      }
      return;
    }
    std::vector<double>& states = scratch.states;
    bool goes_on = !std::isnan(steps[lane]);
    for (size_t i = 0; i < n_integrated_; ++i) {
      states[i] = scratch.taken[i * width_ + lane];
      goes_on = goes_on && std::isfinite(states[i]);
    }
    double step = keeps_step_ ? steps[lane] : 0;
    if (goes_on) {
      scratch.right_side.Take(&scratch.taken[n_integrated_ * width_], width_,
                              lane);
      goes_on =
          scratch.solver->Integrate(scratch.right_side, dt_, states, step);
    }
    for (size_t i = 0; i < n_integrated_; ++i) {
      solved[i * width_ + lane] = goes_on ? states[i] : kNaN;
    }
    solved[(n_states_ - 1) * width_ + lane] = !goes_on      ? kNaN
                                              : keeps_step_ ? step
                                                            : 0;
  }

  // Whether a lane has the bits of the one before.
  bool IsSame(const double* rows, size_t n_rows, size_t lane) const {
    for (size_t i = 0; i < n_rows; ++i) {
      const double* const here = rows + i * width_ + lane;
      if (std::bit_cast<uint64_t>(here[0]) !=
          std::bit_cast<uint64_t>(here[-1])) {
        return false;
      }
    }
    return true;
  }

  const SolverParts parts_;
  const Kernels kernels_;
  const Integration integration_;
  const double dt_;
  const size_t n_parameters_, n_states_, n_integrated_, n_outputs_, n_noises_;
  const bool keeps_step_;
  const size_t width_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Kernel>> MakeSolvingKernel(
    const Program& program, KernelVariant variant, int width,
    const PartSource& source) {
  SolverParts parts = TakeApart(program);
  Kernels kernels;
  SOMAFIT_ASSIGN_OR_RETURN(kernels.before,
                           source(parts.before, KernelVariant::kRecord, width));
  SOMAFIT_ASSIGN_OR_RETURN(
      kernels.slopes, source(parts.slopes, KernelVariant::kRecord, kSideWidth));
  if (!parts.jacobian.outputs.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(
        kernels.jacobian,
        source(parts.jacobian, KernelVariant::kRecord, kSideWidth));
  }
  SOMAFIT_ASSIGN_OR_RETURN(kernels.after, source(parts.after, variant, width));
  return std::make_shared<SolvingKernel>(program, std::move(parts),
                                         std::move(kernels), width);
}

}  // namespace somafit
