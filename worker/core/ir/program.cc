#include "worker/core/ir/program.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <set>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/poisson.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct OpFacts {
  std::string_view name;
  int arity;
};

constexpr std::array<OpFacts, 50> kOps = {{
    {"constant", 0},   {"parameter", 0},     {"state", 0},    {"input", 0},
    {"input next", 0}, {"time", 0},          {"step", 0},     {"noise", 0},
    {"inner", 0},      {"elapsed", 0},       {"solved", 0},   {"hold", 1},
    {"updated", 1},    {"element", 1},       {"negate", 1},   {"abs", 1},
    {"sqrt", 1},       {"exp", 1},           {"expm1", 1},    {"exprel", 1},
    {"bernoulli", 1},  {"sin", 1},           {"cos", 1},      {"tan", 1},
    {"sinh", 1},       {"cosh", 1},          {"tanh", 1},     {"arcsin", 1},
    {"arccos", 1},     {"arctan", 1},        {"log", 1},      {"log10", 1},
    {"log1p", 1},      {"sign", 1},          {"floor", 1},    {"ceil", 1},
    {"add", 2},        {"subtract", 2},      {"multiply", 2}, {"divide", 2},
    {"power", 2},      {"floor divide", 2},  {"modulo", 2},   {"poisson", 2},
    {"less", 2},       {"less or equal", 2}, {"equal", 2},    {"fma", 3},
    {"select", 3},     {"clip", 3},
}};

std::array<ValueId, 3> Operands(const Value& value) {
  return {value.a, value.b, value.c};
}

absl::Status Broken(size_t id, const std::string& what) {
  return absl::InternalError(absl::StrCat("program value %", id, " ", what));
}

// The list that `index` of a leaf points into; 0 for other operations.
size_t IndexLimit(const Program& program, Op op) {
  switch (op) {
    case Op::kParameter:
      return program.parameters.size();
    case Op::kState:
    case Op::kUpdated:
    case Op::kInner:
    case Op::kSolved:
      return program.states.size();
    case Op::kInput:
    case Op::kInputNext:
      return program.inputs.size();
    case Op::kNoise:
      return program.noises.size();
    case Op::kElement:
      return program.arrays.size();
    default:
      return 0;
  }
}

bool HasIndex(Op op) {
  return op == Op::kParameter || op == Op::kState || op == Op::kInput ||
         op == Op::kInputNext || op == Op::kNoise || op == Op::kElement ||
         op == Op::kUpdated || op == Op::kInner || op == Op::kSolved;
}

absl::Status VerifyValue(const Program& program, size_t id) {
  const Value& value = program.values[id];
  if (static_cast<size_t>(value.op) >= kOps.size()) {
    return Broken(id, "has an unknown operation");
  }
  const int arity = OpArity(value.op);
  const auto operands = Operands(value);
  for (int i = 0; i < 3; ++i) {
    if (i >= arity && operands[i] != -1) {
      return Broken(id, "has an operand too many");
    }
    if (i < arity &&
        (operands[i] < 0 || static_cast<size_t>(operands[i]) >= id)) {
      return Broken(id, "has an operand that is not before it");
    }
  }
  const size_t limit = IndexLimit(program, value.op);
  if (limit == 0
          ? value.index != 0 || HasIndex(value.op)
          : value.index < 0 || static_cast<size_t>(value.index) >= limit) {
    return Broken(id, "has an index out of range");
  }
  if (value.op != Op::kConstant &&
      std::bit_cast<uint64_t>(value.constant) != 0) {
    return Broken(id, "is no constant but holds a number");
  }
  return absl::OkStatus();
}

absl::Status VerifyResults(const Program& program, const std::string& what,
                           const std::vector<ValueId>& ids, size_t expected) {
  if (ids.size() != expected) {
    return absl::InternalError(absl::StrCat("program has ", ids.size(), " ",
                                            what, " values, not ", expected));
  }
  for (const ValueId id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= program.values.size()) {
      return absl::InternalError(
          absl::StrCat("program has a ", what, " value out of range: ", id));
    }
  }
  return absl::OkStatus();
}

std::string LeafText(const Program& program, const Value& value) {
  switch (value.op) {
    case Op::kConstant:
      return absl::StrCat(" ", ShortestText(value.constant));
    case Op::kParameter:
      return absl::StrCat(" ", program.parameters[value.index]);
    case Op::kState:
    case Op::kUpdated:
    case Op::kInner:
    case Op::kSolved:
      return absl::StrCat(" ", program.states[value.index]);
    case Op::kInput:
    case Op::kInputNext:
      return absl::StrCat(" ", program.inputs[value.index]);
    case Op::kNoise:
      return program.noises[value.index] == NoiseKind::kNormal
                 ? absl::StrCat(" normal ", value.index)
                 : absl::StrCat(" uniform ", value.index);
    case Op::kElement:
      return absl::StrCat(" ", value.index, " of ",
                          program.arrays[value.index]->size());
    default:
      return "";
  }
}

std::string IntegrationText(const Program& program) {
  const Integration& integration = *program.integration;
  const size_t n = integration.slopes.size();
  std::string text = absl::StrCat("solver ", integration.solver, " ",
                                  SolverOptionsText(integration.options), "\n");
  for (size_t i = 0; i < n; ++i) {
    absl::StrAppend(&text, "from ", program.states[i], " = %",
                    integration.from[i], "\n");
  }
  for (size_t i = 0; i < n; ++i) {
    absl::StrAppend(&text, "slope ", program.states[i], " = %",
                    integration.slopes[i], "\n");
  }
  for (size_t i = 0; i < integration.jacobian.size(); ++i) {
    absl::StrAppend(&text, "slope ", program.states[i / n], " by ",
                    program.states[i % n], " = %", integration.jacobian[i],
                    "\n");
  }
  for (size_t i = 0; i < integration.by_time.size(); ++i) {
    absl::StrAppend(&text, "slope ", program.states[i], " by time = %",
                    integration.by_time[i], "\n");
  }
  return text;
}

// kInner and kElapsed are for right-hand sides alone, which take nothing from
// after integration.
absl::Status VerifyIntegration(const Program& program) {
  std::vector<bool> inner, solved;
  for (const Value& value : program.values) {
    bool is_inner = value.op == Op::kInner || value.op == Op::kElapsed;
    bool is_solved = value.op == Op::kSolved;
    if ((is_inner || is_solved) && !program.integration) {
      return Broken(inner.size(), "is for an integration that there is not");
    }
    for (const ValueId operand : Operands(value)) {
      is_inner = is_inner || (operand >= 0 && inner[operand]);
      is_solved = is_solved || (operand >= 0 && solved[operand]);
    }
    inner.push_back(is_inner);
    solved.push_back(is_solved);
  }
  if (!program.integration) return absl::OkStatus();
  const Integration& integration = *program.integration;
  const size_t n = program.n_integrated();
  const bool has_jacobian = !integration.jacobian.empty();
  SOMAFIT_RETURN_IF_ERROR(
      VerifyResults(program, "slope", integration.slopes, n));
  SOMAFIT_RETURN_IF_ERROR(
      VerifyResults(program, "beginning", integration.from, n));
  if (program.n_variables == 0) {
    return absl::InternalError("program has no state for its solver's step");
  }
  SOMAFIT_RETURN_IF_ERROR(VerifyResults(
      program, "Jacobian", integration.jacobian, has_jacobian ? n * n : 0));
  SOMAFIT_RETURN_IF_ERROR(VerifyResults(
      program, "time slope", integration.by_time, has_jacobian ? n : 0));
  if (integration.options.absolute_errors.size() != n) {
    return absl::InternalError("program has tolerances for other states");
  }
  for (const auto* ids : {&integration.from, &integration.slopes,
                          &integration.jacobian, &integration.by_time}) {
    for (const ValueId id : *ids) {
      if (solved[id]) return Broken(id, "is a slope made after integration");
    }
  }
  for (const auto* ids :
       {&program.next, &program.observed, &integration.from}) {
    for (const ValueId id : *ids) {
      if (inner[id]) return Broken(id, "is taken from within an integration");
    }
  }
  if (program.spike >= 0 && inner[program.spike]) {
    return Broken(program.spike, "is taken from within an integration");
  }
  return absl::OkStatus();
}

// Noise changes from step to step, but there is some before the first one.
absl::Status VerifyInitial(const Program& program) {
  std::vector<bool> moves;
  for (const Value& value : program.values) {
    bool here = value.op == Op::kState || value.op == Op::kInput ||
                value.op == Op::kInputNext || value.op == Op::kTime ||
                value.op == Op::kStep || value.op == Op::kElement ||
                value.op == Op::kInner || value.op == Op::kElapsed ||
                value.op == Op::kSolved;
    for (const ValueId operand : Operands(value)) {
      here = here || (operand >= 0 && moves[operand]);
    }
    moves.push_back(here);
  }
  for (const ValueId id : program.initial) {
    if (moves[id]) {
      return Broken(id, "is an initial value but changes from step to step");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<ValueId> StepResults(const Program& program) {
  std::vector<ValueId> results = program.next;
  results.insert(results.end(), program.observed.begin(),
                 program.observed.end());
  if (program.spike >= 0) results.push_back(program.spike);
  if (!program.integration) return results;
  const Integration& integration = *program.integration;
  for (const auto* ids : {&integration.from, &integration.slopes,
                          &integration.jacobian, &integration.by_time}) {
    results.insert(results.end(), ids->begin(), ids->end());
  }
  return results;
}

std::string_view OpName(Op op) { return kOps[static_cast<size_t>(op)].name; }
int OpArity(Op op) { return kOps[static_cast<size_t>(op)].arity; }

double ApplyOp(Op op, double a, double b, double c) {
  switch (op) {
    case Op::kHold:
    case Op::kUpdated:
      return a;
    case Op::kNegate:
      return -a;
    case Op::kAbs:
      return std::fabs(a);
    case Op::kSqrt:
      return std::sqrt(a);
    case Op::kExp:
      return Exp(a);
    case Op::kExpm1:
      return Expm1(a);
    case Op::kExprel:
      return Exprel(a);
    case Op::kBernoulli:
      return Bernoulli(a);
    case Op::kSin:
      return Sin(a);
    case Op::kCos:
      return Cos(a);
    case Op::kTan:
      return Tan(a);
    case Op::kSinh:
      return Sinh(a);
    case Op::kCosh:
      return Cosh(a);
    case Op::kTanh:
      return Tanh(a);
    case Op::kAsin:
      return Asin(a);
    case Op::kAcos:
      return Acos(a);
    case Op::kAtan:
      return Atan(a);
    case Op::kLog:
      return Log(a);
    case Op::kLog10:
      return Log10(a);
    case Op::kLog1p:
      return Log1p(a);
    case Op::kSign:
      return Sign(a);
    case Op::kFloor:
      return std::floor(a);
    case Op::kCeil:
      return std::ceil(a);
    case Op::kAdd:
      return a + b;
    case Op::kSubtract:
      return a - b;
    case Op::kMultiply:
      return a * b;
    case Op::kDivide:
      return a / b;
    case Op::kPower:
      return Power(a, b);
    case Op::kFloorDivide:
      return FloorDivide(a, b);
    case Op::kModulo:
      return Modulo(a, b);
    case Op::kPoisson:
      return Poisson(a, b);
    case Op::kLess:
      return a < b ? 1.0 : 0.0;
    case Op::kLessEqual:
      return a <= b ? 1.0 : 0.0;
    case Op::kEqual:
      return a == b ? 1.0 : 0.0;
    case Op::kFma:
      return std::fma(a, b, c);
    case Op::kSelect:
      return a != 0 ? b : c;
    case Op::kClip:
      return Clip(a, b, c);
    default:
      SOMAFIT_CHECK(OpArity(op) > 0);
      return 0;
  }
}

Rate RateOf(const Value& value, const std::vector<Rate>& rates) {
  switch (value.op) {
    case Op::kConstant:
      return Rate::kOnce;
    case Op::kParameter:
      return Rate::kPerLane;
    case Op::kState:
    case Op::kInput:
    case Op::kInputNext:
    case Op::kTime:
    case Op::kStep:
    case Op::kNoise:
    case Op::kInner:
    case Op::kElapsed:
    case Op::kSolved:
      return Rate::kPerStep;
    default: {
      Rate rate = Rate::kOnce;
      for (const ValueId operand : Operands(value)) {
        if (operand >= 0) rate = std::max(rate, rates[operand]);
      }
      return rate;
    }
  }
}

std::vector<Rate> Rates(const Program& program) {
  std::vector<Rate> rates;
  rates.reserve(program.values.size());
  for (const Value& value : program.values) {
    rates.push_back(RateOf(value, rates));
  }
  return rates;
}

std::string PrintProgram(const Program& program) {
  std::string text = absl::StrCat("dt ", ShortestText(program.dt), "\n");
  for (size_t id = 0; id < program.values.size(); ++id) {
    const Value& value = program.values[id];
    absl::StrAppend(&text, "%", id, " = ", std::string(OpName(value.op)),
                    LeafText(program, value));
    for (const ValueId operand : Operands(value)) {
      if (operand >= 0) absl::StrAppend(&text, " %", operand);
    }
    text += "\n";
  }
  const auto print_results = [&text](const std::string& what,
                                     const std::vector<std::string>& names,
                                     const std::vector<ValueId>& ids) {
    for (size_t i = 0; i < ids.size(); ++i) {
      absl::StrAppend(&text, what, " ", names[i], " = %", ids[i], "\n");
    }
  };
  print_results("initial", program.states, program.initial);
  print_results("next", program.states, program.next);
  print_results("observe", program.outputs, program.observed);
  if (program.spike >= 0) {
    absl::StrAppend(&text, "spike = %", program.spike, "\n");
  }
  if (program.integration) text += IntegrationText(program);
  return text;
}

absl::Status VerifyProgram(const Program& program) {
  if (!(program.dt > 0) || !std::isfinite(program.dt)) {
    return absl::InternalError(
        absl::StrCat("program has the time step ", ShortestText(program.dt)));
  }
  std::set<std::tuple<Op, ValueId, ValueId, ValueId, int32_t, uint64_t>> seen;
  for (size_t id = 0; id < program.values.size(); ++id) {
    SOMAFIT_RETURN_IF_ERROR(VerifyValue(program, id));
    const Value& value = program.values[id];
    if (!seen.insert({value.op, value.a, value.b, value.c, value.index,
                      std::bit_cast<uint64_t>(value.constant)})
             .second) {
      return Broken(id, "repeats an earlier one");
    }
  }
  SOMAFIT_RETURN_IF_ERROR(VerifyResults(program, "initial", program.initial,
                                        program.states.size()));
  SOMAFIT_RETURN_IF_ERROR(
      VerifyResults(program, "next", program.next, program.states.size()));
  SOMAFIT_RETURN_IF_ERROR(VerifyResults(program, "observed", program.observed,
                                        program.outputs.size()));
  if (program.spike >= 0) {
    SOMAFIT_RETURN_IF_ERROR(
        VerifyResults(program, "spike", {program.spike}, 1));
  }
  if (program.targets.size() > program.inputs.size() ||
      program.n_variables > program.states.size() ||
      program.given.size() > program.parameters.size()) {
    return absl::InternalError("program has targets that are no inputs");
  }
  SOMAFIT_RETURN_IF_ERROR(VerifyIntegration(program));
  return VerifyInitial(program);
}

}  // namespace somafit
