#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// One trace as the interpreter reads it. All signals have `n_steps` samples.
struct TraceView {
  size_t n_steps = 0;
  std::vector<std::span<const double>> inputs;  // per Program::inputs
  // [step - noise_begin][Program::noises][lane], for the steps that are run.
  std::span<const double> noise = {};
  size_t noise_begin = 0;
};

// Sees the observed outputs of `n_lanes` lanes at `step`, before the update:
// outputs[o * n_lanes + lane].
using StepObserver =
    std::function<void(size_t step, std::span<const double> outputs)>;

// Runs a Program for `n_lanes` parameter sets at once, one trace; a lane's
// numbers never depend on its neighbours.
//
// This is the reference meaning of a Program: other kernels agree to the bit.
class Interpreter {
 public:
  // `parameters[p * n_lanes + lane]`, SI. States have their initial values,
  // which `noise`, [Program::noises][lane], is for; it may be empty where no
  // number is drawn. `program` must live as long. REQUIRES: n_lanes > 0.
  Interpreter(const Program& program, size_t n_lanes,
              std::span<const double> parameters,
              std::span<const double> noise = {});
  // What is the same for all interpreters of `program`, to make one faster.
  struct Schedule;
  static std::shared_ptr<const Schedule> Prepare(const Program& program);
  Interpreter(const Program& program, std::shared_ptr<const Schedule> schedule,
              size_t n_lanes, std::span<const double> parameters,
              std::span<const double> noise = {});
  ~Interpreter();

  // [state][lane], at the start of the next step.
  std::vector<double> states() const;
  void set_states(std::span<const double> states);

  // Steps begin .. end-1 of `trace`.
  void Run(const TraceView& trace, size_t begin, size_t end,
           const StepObserver& observe);

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

// The whole trace, of a program without noise. `cancelled` is asked now and
// then; false if it said yes.
bool Interpret(const Program& program, const TraceView& trace, size_t n_lanes,
               std::span<const double> parameters, const StepObserver& observe,
               const std::function<bool()>& cancelled = {});

}  // namespace somafit
