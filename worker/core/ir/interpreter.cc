#include "worker/core/ir/interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/poisson.h"

namespace somafit {
namespace {

// Lanes are computed in multiples of this many, so that loops over them need no
// remainder. The spare ones repeat the last.
constexpr size_t kLaneUnit = 8;
// Steps between two looks at `cancelled`.
constexpr size_t kCancelInterval = 256;

// An operation whose operands are rows: one number a lane.
struct Instruction {
  Op op = Op::kAdd;
  size_t row = 0;
  size_t a = 0;
  size_t b = 0;
  size_t c = 0;
  size_t index = 0;
};

struct Feed {
  size_t row = 0;
  size_t index = 0;
};

// A Program with a place for each value.
struct Places {
  std::vector<Feed> parameters;
  std::vector<std::pair<size_t, double>> constants;  // row, value
  std::vector<Instruction> once;
  // What initial values need beside: noise, and what is made from it.
  std::vector<Instruction> initially;
  std::vector<Feed> inputs;
  std::vector<Feed> next_inputs;
  std::vector<size_t> times;
  std::vector<size_t> steps;
  std::vector<Feed> noises;
  std::vector<Feed> states;
  std::vector<Instruction> every_step;
  std::vector<size_t> row_of;  // per value
  size_t n_rows = 0;
};

// Rows of values that live within one step are used again after the last use:
// what a step touches then stays in the first-level cache.
class Scheduler {
 public:
  explicit Scheduler(const Program& program)
      : program_(program),
        rates_(Rates(program)),
        last_use_(program.values.size(), -1) {
    const auto n_values = static_cast<ValueId>(program.values.size());
    for (ValueId id = 0; id < n_values; ++id) {
      const Value& value = program.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) last_use_[operand] = id;
      }
    }
    for (const ValueId id : StepResults(program)) last_use_[id] = n_values;
    for (const ValueId id : program.initial) last_use_[id] = n_values;
    FindInitial();
  }

  Places Run() {
    schedule_.row_of.resize(program_.values.size());
    for (size_t id = 0; id < program_.values.size(); ++id) {
      Place(static_cast<ValueId>(id));
    }
    return std::move(schedule_);
  }

 private:
  // Values of every step that initial values need.
  void FindInitial() {
    for_initial_.assign(program_.values.size(), false);
    for (const ValueId id : program_.initial) for_initial_[id] = true;
    for (size_t id = for_initial_.size(); id-- > 0;) {
      if (!for_initial_[id]) continue;
      const Value& value = program_.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand < 0) continue;
        for_initial_[operand] = true;
        // They are computed one after the other before there are steps: each
        // needs a place for itself.
        last_use_[operand] = static_cast<ValueId>(program_.values.size());
      }
    }
  }

  size_t NewRow() {
    if (free_.empty()) return schedule_.n_rows++;
    const size_t row = free_.back();
    free_.pop_back();
    return row;
  }

  void Place(ValueId id) {
    const Value& value = program_.values[id];
    const bool shared = OpArity(value.op) > 0 && rates_[id] == Rate::kPerStep;
    const size_t row = shared ? NewRow() : schedule_.n_rows++;
    schedule_.row_of[id] = row;
    const auto index = static_cast<size_t>(value.index);
    switch (value.op) {
      case Op::kConstant:
        schedule_.constants.emplace_back(row, value.constant);
        return;
      case Op::kParameter:
        schedule_.parameters.push_back({row, index});
        return;
      case Op::kState:
        schedule_.states.push_back({row, index});
        return;
      case Op::kInput:
        schedule_.inputs.push_back({row, index});
        return;
      case Op::kInputNext:
        schedule_.next_inputs.push_back({row, index});
        return;
      case Op::kTime:
        schedule_.times.push_back(row);
        return;
      case Op::kStep:
        schedule_.steps.push_back(row);
        return;
      case Op::kNoise:
        schedule_.noises.push_back({row, index});
        return;
      default:
        break;
    }
    const auto row_of = [this](ValueId operand) {
      return operand < 0 ? 0 : schedule_.row_of[operand];
    };
    const Instruction instruction = {value.op,        row,
                                     row_of(value.a), row_of(value.b),
                                     row_of(value.c), index};
    if (rates_[id] != Rate::kPerStep) {
      schedule_.once.push_back(instruction);
    } else {
      schedule_.every_step.push_back(instruction);
      if (for_initial_[id]) schedule_.initially.push_back(instruction);
    }
    Release(id, value);
  }

  void Release(ValueId id, const Value& value) {
    const ValueId operands[] = {value.a, value.b, value.c};
    for (int i = 0; i < 3; ++i) {
      const ValueId operand = operands[i];
      if (operand < 0 || last_use_[operand] != id) continue;
      if (std::find(operands, operands + i, operand) != operands + i) continue;
      if (OpArity(program_.values[operand].op) > 0 &&
          rates_[operand] == Rate::kPerStep) {
        free_.push_back(schedule_.row_of[operand]);
      }
    }
  }

  const Program& program_;
  const std::vector<Rate> rates_;
  std::vector<ValueId> last_use_;
  std::vector<bool> for_initial_;
  std::vector<size_t> free_;
  Places schedule_;
};

template <typename F>
inline void ForLanes(size_t n_lanes, double* __restrict result, F&& f) {
  n_lanes &= ~(kLaneUnit - 1);
  for (size_t lane = 0; lane < n_lanes; ++lane) result[lane] = f(lane);
}

}  // namespace

struct Interpreter::Schedule {
  Places places;
};

class Interpreter::Machine {
 public:
  Machine(const Program& program, std::shared_ptr<const Schedule> schedule,
          size_t n_lanes, std::span<const double> parameters,
          std::span<const double> noise)
      : program_(program),
        kept_(std::move(schedule)),
        schedule_(kept_->places),
        n_lanes_(n_lanes),
        stride_((n_lanes + kLaneUnit - 1) / kLaneUnit * kLaneUnit),
        rows_(schedule_.n_rows * stride_),
        next_(program.states.size() * stride_),
        outputs_(program.outputs.size() * n_lanes) {
    for (const auto& [row, value] : schedule_.constants) Fill(row, value);
    for (const auto& [row, index] : schedule_.parameters) {
      SetRow(row, &parameters[index * n_lanes]);
    }
    for (const Instruction& instruction : schedule_.once) Run(instruction);
    for (const auto& [row, index] : schedule_.noises) {
      if (!noise.empty()) SetRow(row, &noise[index * n_lanes]);
    }
    for (const Instruction& instruction : schedule_.initially) Run(instruction);
    Keep(program.initial);
    Restore();
  }

  std::vector<double> states() const {
    std::vector<double> states;
    for (size_t i = 0; i < program_.states.size(); ++i) {
      const double* const row = &next_[i * stride_];
      states.insert(states.end(), row, row + n_lanes_);
    }
    return states;
  }

  void set_states(std::span<const double> states) {
    for (size_t i = 0; i < program_.states.size(); ++i) {
      for (size_t lane = 0; lane < stride_; ++lane) {
        next_[i * stride_ + lane] =
            states[i * n_lanes_ + std::min(lane, n_lanes_ - 1)];
      }
    }
    Restore();
  }

  // Of the noise up to step `end`.
  size_t NoiseSize(const TraceView& trace, size_t end) const {
    return (end - std::min(end, trace.noise_begin)) * program_.noises.size() *
           n_lanes_;
  }

  std::span<const double> Observe(const TraceView& trace, size_t step) {
    for (const auto& [row, index] : schedule_.inputs) {
      Fill(row, trace.inputs[index][step]);
    }
    for (const auto& [row, index] : schedule_.next_inputs) {
      Fill(row, trace.inputs[index][std::min(step + 1, trace.n_steps - 1)]);
    }
    for (const size_t row : schedule_.steps) {
      Fill(row, static_cast<double>(step));
    }
    for (const size_t row : schedule_.times) {
      Fill(row, static_cast<double>(step) * program_.dt);
    }
    const size_t n_noises = program_.noises.size();
    for (const auto& [row, index] : schedule_.noises) {
      SetRow(row, &trace.noise[((step - trace.noise_begin) * n_noises + index) *
                               n_lanes_]);
    }
    for (const Instruction& instruction : schedule_.every_step) {
      Run(instruction);
    }
    for (size_t i = 0; i < program_.observed.size(); ++i) {
      std::copy_n(Row(schedule_.row_of[program_.observed[i]]), n_lanes_,
                  &outputs_[i * n_lanes_]);
    }
    return outputs_;
  }

  // All states at once: a next value may be another state's present one.
  void Advance() {
    Keep(program_.next);
    Restore();
  }

 private:
  void Restore() {
    for (const auto& [row, index] : schedule_.states) {
      std::copy_n(&next_[index * stride_], stride_, Row(row));
    }
  }

  double* Row(size_t row) { return rows_.data() + row * stride_; }

  // Spare lanes repeat the last.
  void SetRow(size_t row, const double* lanes) {
    for (size_t lane = 0; lane < stride_; ++lane) {
      Row(row)[lane] = lanes[std::min(lane, n_lanes_ - 1)];
    }
  }

  void Fill(size_t row, double value) { std::fill_n(Row(row), stride_, value); }

  void Keep(const std::vector<ValueId>& ids) {
    for (size_t i = 0; i < ids.size(); ++i) {
      std::copy_n(Row(schedule_.row_of[ids[i]]), stride_, &next_[i * stride_]);
    }
  }

  void Run(const Instruction& instruction) {
    double* const result = Row(instruction.row);
    const double* const a = Row(instruction.a);
    const double* const b = Row(instruction.b);
    const double* const c = Row(instruction.c);
    const size_t n = stride_;
    switch (instruction.op) {
      case Op::kElement: {
        const std::vector<double>& array = *program_.arrays[instruction.index];
        return ForLanes(n, result, [&](size_t i) {
          return a[i] >= 0 && a[i] < static_cast<double>(array.size())
                     ? array[static_cast<size_t>(a[i])]
                     : std::numeric_limits<double>::quiet_NaN();
        });
      }
      case Op::kHold:
      case Op::kUpdated:
        return ForLanes(n, result, [&](size_t i) { return a[i]; });
      case Op::kNegate:
        return ForLanes(n, result, [&](size_t i) { return -a[i]; });
      case Op::kAbs:
        return ForLanes(n, result, [&](size_t i) { return std::fabs(a[i]); });
      case Op::kSqrt:
        return ForLanes(n, result, [&](size_t i) { return std::sqrt(a[i]); });
      case Op::kExp:
        return Exp(a, result, n);
      case Op::kExpm1:
        return Expm1(a, result, n);
      case Op::kExprel:
        return Exprel(a, result, n);
      case Op::kBernoulli:
        return Bernoulli(a, result, n);
      case Op::kSin:
        return Sin(a, result, n);
      case Op::kCos:
        return Cos(a, result, n);
      case Op::kTan:
        return Tan(a, result, n);
      case Op::kSinh:
        return Sinh(a, result, n);
      case Op::kCosh:
        return Cosh(a, result, n);
      case Op::kTanh:
        return Tanh(a, result, n);
      case Op::kAsin:
        return Asin(a, result, n);
      case Op::kAcos:
        return Acos(a, result, n);
      case Op::kAtan:
        return Atan(a, result, n);
      case Op::kLog:
        return Log(a, result, n);
      case Op::kLog10:
        return Log10(a, result, n);
      case Op::kLog1p:
        return Log1p(a, result, n);
      case Op::kPower:
        return Power(a, b, result, n);
      case Op::kSign:
        return ForLanes(n, result, [&](size_t i) { return Sign(a[i]); });
      case Op::kFloor:
        return ForLanes(n, result, [&](size_t i) { return std::floor(a[i]); });
      case Op::kCeil:
        return ForLanes(n, result, [&](size_t i) { return std::ceil(a[i]); });
      case Op::kClip:
        return ForLanes(n, result,
                        [&](size_t i) { return Clip(a[i], b[i], c[i]); });
      case Op::kAdd:
        return ForLanes(n, result, [&](size_t i) { return a[i] + b[i]; });
      case Op::kSubtract:
        return ForLanes(n, result, [&](size_t i) { return a[i] - b[i]; });
      case Op::kMultiply:
        return ForLanes(n, result, [&](size_t i) { return a[i] * b[i]; });
      case Op::kDivide:
        return ForLanes(n, result, [&](size_t i) { return a[i] / b[i]; });
      case Op::kFloorDivide:
        return ForLanes(n, result,
                        [&](size_t i) { return FloorDivide(a[i], b[i]); });
      case Op::kModulo:
        return ForLanes(n, result,
                        [&](size_t i) { return Modulo(a[i], b[i]); });
      case Op::kPoisson:
        return ForLanes(n, result,
                        [&](size_t i) { return Poisson(a[i], b[i]); });
      case Op::kLess:
        return ForLanes(n, result,
                        [&](size_t i) { return a[i] < b[i] ? 1.0 : 0.0; });
      case Op::kLessEqual:
        return ForLanes(n, result,
                        [&](size_t i) { return a[i] <= b[i] ? 1.0 : 0.0; });
      case Op::kEqual:
        return ForLanes(n, result,
                        [&](size_t i) { return a[i] == b[i] ? 1.0 : 0.0; });
      case Op::kSelect:
        return ForLanes(n, result,
                        [&](size_t i) { return a[i] != 0 ? b[i] : c[i]; });
      case Op::kFma:
        return ForLanes(n, result,
                        [&](size_t i) { return std::fma(a[i], b[i], c[i]); });
      default:
        SOMAFIT_CHECK(OpArity(instruction.op) > 0);
    }
  }

  const Program& program_;
  const std::shared_ptr<const Schedule> kept_;
  const Places& schedule_;
  const size_t n_lanes_;
  const size_t stride_;
  std::vector<double> rows_;     // [row][stride_]
  std::vector<double> next_;     // [state][stride_]
  std::vector<double> outputs_;  // [output][n_lanes_]
};

std::shared_ptr<const Interpreter::Schedule> Interpreter::Prepare(
    const Program& program) {
  return std::make_shared<Schedule>(Schedule{Scheduler(program).Run()});
}

Interpreter::Interpreter(const Program& program, size_t n_lanes,
                         std::span<const double> parameters,
                         std::span<const double> noise)
    : Interpreter(program, Prepare(program), n_lanes, parameters, noise) {}

Interpreter::Interpreter(const Program& program,
                         std::shared_ptr<const Schedule> schedule,
                         size_t n_lanes, std::span<const double> parameters,
                         std::span<const double> noise) {
  SOMAFIT_CHECK(n_lanes > 0);
  SOMAFIT_CHECK(noise.empty() ||
                noise.size() == program.noises.size() * n_lanes);
  SOMAFIT_CHECK(parameters.size() == program.parameters.size() * n_lanes);
  machine_ = std::make_unique<Machine>(program, std::move(schedule), n_lanes,
                                       parameters, noise);
}

Interpreter::~Interpreter() = default;

std::vector<double> Interpreter::states() const { return machine_->states(); }

void Interpreter::set_states(std::span<const double> states) {
  machine_->set_states(states);
}

void Interpreter::Run(const TraceView& trace, size_t begin, size_t end,
                      const StepObserver& observe) {
  for (const auto& input : trace.inputs) SOMAFIT_CHECK(input.size() >= end);
  SOMAFIT_CHECK(trace.noise.size() >= machine_->NoiseSize(trace, end));
  for (size_t step = begin; step < end; ++step) {
    observe(step, machine_->Observe(trace, step));
    machine_->Advance();
  }
}

bool Interpret(const Program& program, const TraceView& trace, size_t n_lanes,
               std::span<const double> parameters, const StepObserver& observe,
               const std::function<bool()>& cancelled) {
  SOMAFIT_CHECK(trace.inputs.size() == program.inputs.size());
  SOMAFIT_CHECK(program.noises.empty());
  if (n_lanes == 0) return true;
  Interpreter interpreter(program, n_lanes, parameters);
  for (size_t step = 0; step < trace.n_steps; step += kCancelInterval) {
    if (cancelled && cancelled()) return false;
    interpreter.Run(trace, step,
                    std::min(trace.n_steps, step + kCancelInterval), observe);
  }
  return true;
}

}  // namespace somafit
