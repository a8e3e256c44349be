#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "worker/core/base/noise.h"
#include "worker/core/lang/solver_options.h"

namespace somafit {

using ValueId = int32_t;

enum class Op : uint8_t {
  kConstant,   // `constant`
  kParameter,  // `index` into Program::parameters: one number a lane
  kState,      // `index` into Program::states: at the start of the step
  kInput,      // `index` into Program::inputs: input sample of this step
  kInputNext,  // of the next step; in the last step, its own again
  kTime,       // t = step * dt [s]
  kStep,       // the step's number
  kNoise,      // `index` into Program::noises: a number drawn in this step
  kInner,      // what `index` into Program::states names, on a solver's way
               // through the step
  kElapsed,    // there: the time since the step's start [s]
  kSolved,     // `index` into Program::states: as the solver leaves it
  kHold,       // a, which a method takes for constant over a step
  kUpdated,    // a, the new value within the step of what `index` into
               // Program::states names: a number to what follows
  kElement,    // `index` into Program::arrays: its element a, a whole number;
               // NaN where a is out of range or NaN
  kNegate,
  kAbs,
  kSqrt,
  kExp,
  kExpm1,
  kExprel,
  kBernoulli,  // a / (e^a - 1) = 1 / exprel(a)
  kSin,
  kCos,
  kTan,
  kSinh,
  kCosh,
  kTanh,
  kAsin,
  kAcos,
  kAtan,
  kLog,
  kLog10,
  kLog1p,
  kSign,
  kFloor,
  kCeil,  // of a
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,       // a op b
  kPower,        // a to the power b
  kFloorDivide,  // the quotient rounded down, exact where both are integers
  kModulo,       // a - b * kFloorDivide
  kPoisson,      // a Poisson number of mean a, made from the uniform number b
  kLess,         // 1 or 0: a < b, a <= b, a == b
  kLessEqual,
  kEqual,
  kFma,     // a * b + c, rounded once
  kSelect,  // b where a is not 0 (NaN is not), else c
  kClip,    // b where a < b, else c where a > c, else a
};
std::string_view OpName(Op op);  // "fma"
int OpArity(Op op);

struct Value {
  Op op = Op::kConstant;
  ValueId a = -1;
  ValueId b = -1;
  ValueId c = -1;
  int32_t index = 0;
  double constant = 0;
  friend bool operator==(const Value&, const Value&) = default;
};

// How often a value must be computed.
enum class Rate : uint8_t { kOnce, kPerLane, kPerStep };

// What a program is given behind the model's parameters, a number a lane each.
enum class Given : uint8_t {
  kIteration,   // the round's number
  kLaneNumber,  // the simulation's number within its round
  kLaneCount,   // simulations in a round
};

// How a solver with steps of its own gets through each time step: one lane at a
// time, from `from` to kSolved. All that a right-hand side uses beside kInner
// and kElapsed holds over the step. The last state of the program is the
// solver's own: the step that was right at last [s], 0 where none is kept, and
// not a number once it gave up.
struct Integration {
  std::string solver;  // the method's name
  SolverOptions options;
  std::vector<ValueId> from;  // per state that is integrated: where it begins
  // Per state that is integrated, of kInner and kElapsed: its derivative.
  std::vector<ValueId> slopes;
  // The derivative of each slope by each of these states, slope by slope; empty
  // where the solver needs none. Then of each slope by time.
  std::vector<ValueId> jacobian;
  std::vector<ValueId> by_time;
};

// What one lane computes: a flat list of values, operands first, without
// duplicates. It is the definition of the numbers: every kernel computes just
// these operations, each correctly rounded (kExp and kin: base/elementary.h).
struct Program {
  double dt = 0;  // [s]
  std::vector<std::string> parameters;
  std::vector<Given> given;         // what the last parameters are
  std::vector<std::string> states;  // all that is carried from step to step
  size_t n_variables = 0;  // the last of these, which no method integrates
  std::vector<std::string> inputs;
  // The last inputs are targets: of which output of the dataset each.
  std::vector<size_t> targets;
  std::vector<NoiseKind> noises;
  std::vector<std::shared_ptr<const std::vector<double>>> arrays;
  std::vector<std::string> outputs;
  std::vector<Value> values;
  std::vector<ValueId>
      initial;  // per state; uses constants, parameters and noise only
  std::vector<ValueId> next;      // per state: its value at the next step
  std::vector<ValueId> observed;  // per output, before the update of the step
  ValueId spike = -1;             // whether there is one in the step; -1: never
  // Not there: the step is all of `next`. Else it is in three parts, which
  // solver_parts.h takes apart: kernels and the Interpreter know none of it.
  std::optional<Integration> integration = {};

  size_t n_integrated() const { return states.size() - n_variables; }
  // Parameters of the model.
  size_t n_own_parameters() const { return parameters.size() - given.size(); }
};

// What a program is for: next, observed, what is integrated and, for
// CompileRecording, the spike.
std::vector<ValueId> StepResults(const Program& program);

// The number that an operation with operands has: what `op` means.
// REQUIRES: OpArity(op) > 0.
double ApplyOp(Op op, double a, double b, double c);

// Of a value whose operands have the rates `rates`.
Rate RateOf(const Value& value, const std::vector<Rate>& rates);
// Per value; kPerStep where it depends on a state, an input, noise or time.
std::vector<Rate> Rates(const Program& program);

// The program as text, one value a line, for people and golden tests:
//   %3 = fma %0 %1 %2
std::string PrintProgram(const Program& program);

// Checks every invariant above; Internal names the first that does not hold.
absl::Status VerifyProgram(const Program& program);

}  // namespace somafit
