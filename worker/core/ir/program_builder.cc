#include "worker/core/ir/program_builder.h"

#include <algorithm>
#include <bit>

#include "worker/core/base/check.h"

namespace somafit {

size_t ProgramBuilder::Hash::operator()(const Value& value) const {
  uint64_t hash = static_cast<uint64_t>(value.op);
  for (const uint64_t part :
       {static_cast<uint64_t>(value.a), static_cast<uint64_t>(value.b),
        static_cast<uint64_t>(value.c), static_cast<uint64_t>(value.index),
        std::bit_cast<uint64_t>(value.constant)}) {
    hash = (hash ^ part) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 29;
  }
  return hash;
}

bool ProgramBuilder::Same::operator()(const Value& a, const Value& b) const {
  return a.op == b.op && a.a == b.a && a.b == b.b && a.c == b.c &&
         a.index == b.index &&
         std::bit_cast<uint64_t>(a.constant) ==
             std::bit_cast<uint64_t>(b.constant);
}

ProgramBuilder::ProgramBuilder(const Program& names) {
  program_.dt = names.dt;
  program_.parameters = names.parameters;
  program_.states = names.states;
  program_.inputs = names.inputs;
  program_.outputs = names.outputs;
  program_.targets = names.targets;
  program_.given = names.given;
  program_.n_variables = names.n_variables;
  program_.noises = names.noises;
  program_.arrays = names.arrays;
}

ValueId ProgramBuilder::Constant(double value) {
  return Insert({.op = Op::kConstant, .constant = value});
}
ValueId ProgramBuilder::Parameter(int32_t index) {
  return Insert({.op = Op::kParameter, .index = index});
}
ValueId ProgramBuilder::State(int32_t index) {
  return Insert({.op = Op::kState, .index = index});
}
ValueId ProgramBuilder::Input(int32_t index) {
  return Insert({.op = Op::kInput, .index = index});
}
ValueId ProgramBuilder::InputNext(int32_t index) {
  return Insert({.op = Op::kInputNext, .index = index});
}
ValueId ProgramBuilder::Step() { return Insert({.op = Op::kStep}); }
ValueId ProgramBuilder::Time() { return Insert({.op = Op::kTime}); }
ValueId ProgramBuilder::Noise(int32_t index, NoiseKind kind) {
  const auto place = static_cast<size_t>(index);
  if (place >= program_.noises.size()) {
    program_.noises.resize(place + 1, NoiseKind::kUnused);
  }
  program_.noises[place] = kind;
  return Insert({.op = Op::kNoise, .index = index});
}
ValueId ProgramBuilder::Inner(int32_t state) {
  return Insert({.op = Op::kInner, .index = state});
}
ValueId ProgramBuilder::Elapsed() { return Insert({.op = Op::kElapsed}); }
ValueId ProgramBuilder::Solved(int32_t state) {
  return Insert({.op = Op::kSolved, .index = state});
}
ValueId ProgramBuilder::Updated(int32_t state, ValueId value) {
  return Insert({.op = Op::kUpdated, .a = value, .index = state});
}
ValueId ProgramBuilder::Element(int32_t array, ValueId index) {
  return Insert({.op = Op::kElement, .a = index, .index = array});
}

ValueId ProgramBuilder::Insert(const Value& value) {
  const auto [entry, added] =
      known_.try_emplace(value, static_cast<ValueId>(program_.values.size()));
  if (added) {
    program_.values.push_back(value);
    rates_.push_back(RateOf(value, rates_));
  }
  return entry->second;
}

bool ProgramBuilder::IsConstant(ValueId id, double number) const {
  return value(id).op == Op::kConstant &&
         std::bit_cast<uint64_t>(value(id).constant) ==
             std::bit_cast<uint64_t>(number);
}

ValueId ProgramBuilder::Emit(Op op, ValueId a, ValueId b, ValueId c) {
  const bool commutes = op == Op::kAdd || op == Op::kMultiply ||
                        op == Op::kFma || op == Op::kEqual;
  if (commutes && a > b) std::swap(a, b);
  return Insert({.op = op, .a = a, .b = b, .c = c});
}

ValueId ProgramBuilder::Fold(Op op, ValueId a, ValueId b, ValueId c) {
  SOMAFIT_CHECK(OpArity(op) > 0);
  const auto constant = [this](ValueId id) {
    return id < 0 || value(id).op == Op::kConstant;
  };
  const auto number = [this](ValueId id) {
    return id < 0 ? 0.0 : value(id).constant;
  };
  if (constant(a) && constant(b) && constant(c)) {
    return Constant(ApplyOp(op, number(a), number(b), number(c)));
  }
  const auto negate = [this](ValueId id) { return Fold(Op::kNegate, id); };
  switch (op) {
    case Op::kHold:
      return a;
    case Op::kNegate:
      if (IsNegation(a)) return value(a).a;
      break;
    case Op::kAdd:
      if (IsConstant(a, -0.0)) return b;
      if (IsConstant(b, -0.0)) return a;
      if (IsNegation(b)) return Emit(Op::kSubtract, a, value(b).a);
      if (IsNegation(a)) return Emit(Op::kSubtract, b, value(a).a);
      break;
    case Op::kSubtract:
      if (IsConstant(b, 0.0)) return a;
      if (IsNegation(b)) return Emit(Op::kAdd, a, value(b).a);
      break;
    case Op::kMultiply:
      if (IsConstant(a, 1.0)) return b;
      if (IsConstant(b, 1.0)) return a;
      if (IsConstant(a, -1.0)) return negate(b);
      if (IsConstant(b, -1.0)) return negate(a);
      if (IsNegation(a)) return negate(Fold(op, value(a).a, b));
      if (IsNegation(b)) return negate(Fold(op, a, value(b).a));
      break;
    case Op::kDivide:
      if (IsConstant(b, 1.0)) return a;
      if (IsConstant(b, -1.0)) return negate(a);
      if (IsNegation(a)) return negate(Fold(op, value(a).a, b));
      if (IsNegation(b)) return negate(Fold(op, a, value(b).a));
      break;
    case Op::kSelect:
      if (value(a).op == Op::kConstant) return number(a) != 0 ? b : c;
      if (b == c) return b;
      break;
    default:
      break;
  }
  return Emit(op, a, b, c);
}

ValueId ProgramBuilder::Copy(const Value& value,
                             const std::vector<ValueId>& renamed, bool fold) {
  if (OpArity(value.op) == 0) return Insert(value);
  if (value.op == Op::kElement) return Element(value.index, renamed[value.a]);
  if (value.op == Op::kUpdated) return Updated(value.index, renamed[value.a]);
  const auto rename = [&renamed](ValueId id) {
    return id < 0 ? id : renamed[id];
  };
  const ValueId a = rename(value.a), b = rename(value.b), c = rename(value.c);
  return fold ? Fold(value.op, a, b, c) : Emit(value.op, a, b, c);
}

}  // namespace somafit
