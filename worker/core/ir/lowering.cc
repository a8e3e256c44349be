#include "worker/core/ir/lowering.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/lang/functions.h"

namespace somafit {
namespace {

constexpr int kMaxExponent = 1024;
// Nodes lowered for one model; subexpressions count again for each initial
// value that uses them.
constexpr size_t kMaxLoweredNodes = 2'000'000;

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

const std::map<std::string, Op, std::less<>>& Functions() {
  static const auto* const functions =
      new std::map<std::string, Op, std::less<>>{
          {"abs", Op::kAbs},     {"sqrt", Op::kSqrt},     {"exp", Op::kExp},
          {"expm1", Op::kExpm1}, {"exprel", Op::kExprel}, {"sin", Op::kSin},
          {"cos", Op::kCos},     {"tan", Op::kTan},       {"sinh", Op::kSinh},
          {"cosh", Op::kCosh},   {"tanh", Op::kTanh},     {"arcsin", Op::kAsin},
          {"arccos", Op::kAcos}, {"arctan", Op::kAtan},   {"log", Op::kLog},
          {"log10", Op::kLog10}, {"log1p", Op::kLog1p},   {"sign", Op::kSign},
          {"floor", Op::kFloor}, {"ceil", Op::kCeil},     {"clip", Op::kClip},
      };
  return *functions;
}

std::vector<bool> UsedNodes(const Expression& expression) {
  std::vector<bool> used(expression.nodes.size(), false);
  used[expression.root] = true;
  for (NodeId id = expression.root; id >= 0; --id) {
    if (!used[id]) continue;
    std::visit(Overloaded{
                   [](const Number&) {},
                   [](const Boolean&) {},
                   [](const Name&) {},
                   [&](const Unary& node) { used[node.operand] = true; },
                   [&](const Binary& node) {
                     used[node.left] = used[node.right] = true;
                   },
                   [&](const Call& node) {
                     for (const NodeId argument : node.arguments) {
                       used[argument] = true;
                     }
                   },
               },
               expression.nodes[id].form);
  }
  return used;
}

}  // namespace

Lowering::Lowering(const Model& model, ProgramBuilder& builder,
                   Diagnostics& diagnostics, std::vector<ValueId> states)
    : model_(model),
      builder_(builder),
      diagnostics_(diagnostics),
      states_(std::move(states)),
      subexpressions_(model.subexpressions.size(), kNotLowered),
      held_(model.subexpressions.size(), kNotLowered) {}

Lowering Lowering::Initial(const Model& model, ProgramBuilder& builder,
                           Diagnostics& diagnostics) {
  Lowering lowering(
      model, builder, diagnostics,
      std::vector<ValueId>(model.states.size(), builder.Constant(0)));
  lowering.initial_ = true;
  for (const ModelVariable& variable : model.variables) {
    ValueId value = builder.Constant(0);
    if (model.is_refractory() && variable.name == kNotRefractory) {
      value = builder.Constant(1);
    } else if (model.is_refractory() && variable.name == kLastSpike) {
      constexpr double kLongAgo = -1e4;  // [s]
      value = builder.Constant(kLongAgo);
    }
    for (size_t i = 0; i < model.parameters.size(); ++i) {
      if (model.parameters[i].name != variable.name) continue;
      value = lowering.OfType(variable.type,
                              builder.Parameter(static_cast<int32_t>(i)));
    }
    lowering.states_.push_back(value);
  }
  return lowering;
}

Lowering Lowering::Start(const Model& model, ProgramBuilder& builder,
                         Diagnostics& diagnostics) {
  std::vector<ValueId> states;
  for (size_t i = 0; i < model.states.size() + model.variables.size(); ++i) {
    states.push_back(builder.State(static_cast<int32_t>(i)));
  }
  return Lowering(model, builder, diagnostics, std::move(states));
}

Lowering Lowering::Later(Lowering& now, const std::vector<ValueId>& states,
                         Stage stage) {
  Lowering lowering(now.model_, now.builder_, now.diagnostics_, now.states_);
  std::copy(states.begin(), states.end(), lowering.states_.begin());
  lowering.stage_ = stage;
  lowering.evaluation_ = now.n_evaluations_++;
  lowering.held_ = now.held_;
  lowering.shared_ = now.shared_;
  return lowering;
}

ValueId Lowering::Converted(ValueId value, ValueType from, ValueType to) {
  return to == ValueType::kInteger && from == ValueType::kFloat
             ? Truncated(value)
             : value;
}

ValueId Lowering::Lower(const Expression& expression, const Source& source) {
  SOMAFIT_CHECK(expression.valid());
  LowerSubexpressions(expression);
  return LowerExpression(expression, source);
}

ValueId Lowering::LowerInitial(const InitialValue& initial) {
  const ValueId value = Lower(initial.value, initial.source);
  if (value < 0 || initial.state < model_.states.size()) return value;
  return Converted(value, TypeOf(initial.value, initial.value.root),
                   model_.variables[initial.state - model_.states.size()].type);
}

ValueId Lowering::LowerVariable(const std::string& name) {
  Expression expression;
  expression.nodes.push_back({Name{name}, {}, {}});
  expression.root = 0;
  return Lower(expression, model_.equations);
}

void Lowering::LowerSubexpressions(const Expression& expression) {
  // Their formulas know no temporaries.
  std::map<std::string, ValueId> temporaries;
  temporaries.swap(temporaries_);
  std::vector<bool> needed(model_.subexpressions.size(), false);
  MarkNeeded(expression, needed);
  for (size_t i = needed.size(); i-- > 0;) {
    if (needed[i] && subexpressions_[i] == kNotLowered)
      MarkNeeded(model_.subexpressions[i].right_side, needed);
  }
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i] || subexpressions_[i] != kNotLowered) continue;
    const ModelVariable& subexpression = model_.subexpressions[i];
    if (held_[i] != kNotLowered) {
      subexpressions_[i] = held_[i];
      continue;
    }
    const Expression& formula = subexpression.right_side;
    const ValueId value = LowerExpression(formula, model_.equations);
    subexpressions_[i] = value < 0
                             ? value
                             : Converted(value, TypeOf(formula, formula.root),
                                         subexpression.type);
  }
  temporaries.swap(temporaries_);
}

const std::optional<Meaning>& Lowering::Resolve(const std::string& name) const {
  const auto [entry, added] = shared_->meanings.try_emplace(name);
  if (added) entry->second = model_.Resolve(name);
  return entry->second;
}

void Lowering::MarkNeeded(const Expression& expression,
                          std::vector<bool>& needed) {
  for (const Node& node : expression.nodes) {
    const Name* name = std::get_if<Name>(&node.form);
    if (name == nullptr) continue;
    const std::optional<Meaning>& meaning = Resolve(name->name);
    if (meaning && meaning->kind == Meaning::Kind::kSubexpression) {
      needed[meaning->index] = true;
    }
  }
}

ValueId Lowering::LowerExpression(const Expression& expression,
                                  const Source& source) {
  shared_->n_lowered += expression.nodes.size();
  if (shared_->n_lowered > kMaxLoweredNodes) {
    return Unsupported(source, {}, "a model of this size");
  }
  const std::vector<bool> used = UsedNodes(expression);
  std::vector<ValueId> values(expression.nodes.size(), -1);
  for (NodeId id = 0; id <= expression.root; ++id) {
    if (used[id])
      values[id] = LowerNode(expression.nodes[id], expression, values, source);
  }
  return values[expression.root];
}

ValueId Lowering::LowerNode(const Node& node, const Expression& expression,
                            const std::vector<ValueId>& values,
                            const Source& source) {
  return std::visit(
      Overloaded{
          [&](const Number& form) { return builder_.Constant(form.value); },
          [&](const Boolean& form) {
            return builder_.Constant(form.value ? 1 : 0);
          },
          [&](const Name& form) { return LowerName(form, node, source); },
          [&](const Unary& form) {
            const ValueId operand = values[form.operand];
            if (operand < 0) return ValueId{-1};
            if (form.op == UnaryOperator::kPlus) return operand;
            if (form.op == UnaryOperator::kMinus) {
              return Operation(Op::kNegate, operand);
            }
            return Not(operand);
          },
          [&](const Binary& form) {
            return LowerBinary(form, expression, values);
          },
          [&](const Call& form) {
            return LowerCall(form, node, expression, values, source);
          },
      },
      node.form);
}

ValueId Lowering::LowerName(const Name& form, const Node& node,
                            const Source& source) {
  if (const auto found = temporaries_.find(form.name);
      found != temporaries_.end()) {
    return found->second;
  }
  const std::optional<Meaning>& meaning = Resolve(form.name);
  if (!meaning.has_value()) {
    return Unsupported(source, node.span,
                       absl::StrCat("the name \"", form.name, "\""));
  }
  const auto index = static_cast<int32_t>(meaning->index);
  switch (meaning->kind) {
    case Meaning::Kind::kParameter:
      return OfType(model_.parameters[meaning->index].type,
                    builder_.Parameter(index));
    case Meaning::Kind::kState:
      return states_[index];
    case Meaning::Kind::kVariable:
      return states_[model_.states.size() + meaning->index];
    case Meaning::Kind::kNoise:
      return builder_.Noise(index, NoiseKind::kNormal);
    case Meaning::Kind::kSubexpression:
      return subexpressions_[index];
    case Meaning::Kind::kInput:
      if (initial_) {
        return Unsupported(
            source, node.span,
            absl::StrCat("the input \"", form.name, "\" in an initial value"));
      }
      return stage_ == Stage::kEnd ? builder_.InputNext(index)
                                   : builder_.Input(index);
    case Meaning::Kind::kTime:
      return Time();
    case Meaning::Kind::kIteration:
      return GivenNumber(Given::kIteration);
    case Meaning::Kind::kLaneNumber:
      return GivenNumber(Given::kLaneNumber);
    case Meaning::Kind::kLaneCount:
      return GivenNumber(Given::kLaneCount);
    case Meaning::Kind::kStepNumber:
      return initial_ ? builder_.Constant(0) : builder_.Step();
    case Meaning::Kind::kTimeStep:
      return builder_.Constant(builder_.program().dt);
    case Meaning::Kind::kConstant:
      return builder_.Constant(meaning->value);
  }
  return -1;
}

ValueId Lowering::GivenNumber(Given what) {
  const Program& program = builder_.program();
  const auto found =
      std::find(program.given.begin(), program.given.end(), what);
  SOMAFIT_CHECK(found != program.given.end());
  const auto place = found - program.given.begin();
  return builder_.Parameter(static_cast<int32_t>(program.n_own_parameters() +
                                                 static_cast<size_t>(place)));
}

ValueId Lowering::OfType(ValueType type, ValueId number) {
  switch (type) {
    case ValueType::kBoolean:
      return Not(Operation(Op::kEqual, number, builder_.Constant(0)));
    case ValueType::kInteger:
      return Truncated(number);
    case ValueType::kFloat:
      break;
  }
  return number;
}

ValueId Lowering::Truncated(ValueId number) {
  return Operation(Op::kSelect,
                   Operation(Op::kLess, number, builder_.Constant(0)),
                   Operation(Op::kCeil, number), Operation(Op::kFloor, number));
}

ValueId Lowering::Not(ValueId truth) {
  return Operation(Op::kSelect, truth, builder_.Constant(0),
                   builder_.Constant(1));
}

ValueId Lowering::Divided(Op op, bool integers, ValueId left, ValueId right) {
  const ValueId result = Operation(op, left, right);
  if (!integers) return result;
  const ValueId zero = builder_.Constant(0);
  return Operation(Op::kSelect, Operation(Op::kEqual, right, zero), zero,
                   result);
}

ValueId Lowering::Time() {
  if (initial_) return builder_.Constant(0);
  if (stage_ == Stage::kStart) return builder_.Time();
  if (stage_ == Stage::kInside) {
    return Operation(Op::kAdd, builder_.Time(), builder_.Elapsed());
  }
  const double dt = builder_.program().dt;
  return Operation(Op::kAdd, builder_.Time(),
                   builder_.Constant(stage_ == Stage::kEnd ? dt : dt / 2));
}

ValueId Lowering::LowerBinary(const Binary& form, const Expression& expression,
                              const std::vector<ValueId>& values) {
  const ValueId left = values[form.left];
  const ValueId right = values[form.right];
  if (left < 0 || right < 0) return -1;
  const bool integers = TypeOf(expression, form.left) != ValueType::kFloat &&
                        TypeOf(expression, form.right) != ValueType::kFloat;
  switch (form.op) {
    case BinaryOperator::kAdd:
      return Operation(Op::kAdd, left, right);
    case BinaryOperator::kSubtract:
      return Operation(Op::kSubtract, left, right);
    case BinaryOperator::kMultiply:
      return Operation(Op::kMultiply, left, right);
    case BinaryOperator::kDivide:
      return Operation(Op::kDivide, left, right);
    case BinaryOperator::kPower:
      return LowerPower(left, right);
    case BinaryOperator::kFloorDivide:
      return Divided(Op::kFloorDivide, integers, left, right);
    case BinaryOperator::kModulo:
      return Divided(Op::kModulo, integers, left, right);
    case BinaryOperator::kLess:
      return Operation(Op::kLess, left, right);
    case BinaryOperator::kLessEqual:
      return Operation(Op::kLessEqual, left, right);
    case BinaryOperator::kGreater:
      return Operation(Op::kLess, right, left);
    case BinaryOperator::kGreaterEqual:
      return Operation(Op::kLessEqual, right, left);
    case BinaryOperator::kEqual:
      return Operation(Op::kEqual, left, right);
    case BinaryOperator::kNotEqual:
      return Not(Operation(Op::kEqual, left, right));
    case BinaryOperator::kAnd:
      return Operation(Op::kSelect, left, right, builder_.Constant(0));
    case BinaryOperator::kOr:
      return Operation(Op::kSelect, left, builder_.Constant(1), right);
  }
  return -1;
}

ValueType Lowering::TypeOf(const Expression& expression, NodeId id) {
  const auto index = static_cast<size_t>(id);
  return index < expression.types.size() ? expression.types[index]
                                         : ValueType::kFloat;
}

ValueId Lowering::LowerPower(ValueId base, ValueId exponent) {
  if (!IsConstant(exponent)) return Operation(Op::kPower, base, exponent);
  const double power = builder_.value(exponent).constant;
  const double size = std::abs(power);
  if (size == 0.5) {
    return Reciprocal(Operation(Op::kSqrt, base), power < 0);
  }
  if (size == std::floor(size) && size <= kMaxExponent) {
    return Reciprocal(IntegerPower(base, static_cast<int>(size)), power < 0);
  }
  return Operation(Op::kPower, base, exponent);
}

ValueId Lowering::Reciprocal(ValueId value, bool wanted) {
  return wanted ? Operation(Op::kDivide, builder_.Constant(1), value) : value;
}

ValueId Lowering::IntegerPower(ValueId base, int exponent) {
  if (exponent == 0) return builder_.Constant(1);
  int bit = 1;
  while (bit <= exponent / 2) bit *= 2;
  ValueId result = base;
  for (bit /= 2; bit > 0; bit /= 2) {
    result = Operation(Op::kMultiply, result, result);
    if ((exponent & bit) != 0) {
      result = Operation(Op::kMultiply, result, base);
    }
  }
  return result;
}

ValueId Lowering::LowerCall(const Call& form, const Node& node,
                            const Expression& expression,
                            const std::vector<ValueId>& values,
                            const Source& source) {
  for (const NodeId argument : form.arguments) {
    if (values[argument] < 0) return -1;
  }
  for (size_t i = 0; i < model_.timed_arrays.size(); ++i) {
    if (model_.timed_arrays[i].name == form.function) {
      return LowerLookup(i, form, expression, values);
    }
  }
  const Function* const called = FindFunction(form.function);
  SOMAFIT_CHECK(called != nullptr &&
                static_cast<int>(form.arguments.size()) == called->arity);
  if (form.function == "int") {
    const NodeId argument = form.arguments[0];
    return TypeOf(expression, argument) == ValueType::kFloat
               ? Truncated(values[argument])
               : values[argument];
  }
  if (form.function == "timestep") {
    const ValueId time = values[form.arguments[0]];
    const ValueId step = values[form.arguments[1]];
    // So that a time just below a multiple of the step counts as that one.
    const ValueId margin =
        Operation(Op::kMultiply, step, builder_.Constant(1e-3));
    return Truncated(
        Operation(Op::kDivide, Operation(Op::kAdd, time, margin), step));
  }
  if (form.site >= 0) {
    return RandomNumber(
        form.function, form.site,
        form.arguments.empty() ? ValueId{-1} : values[form.arguments[0]]);
  }
  const auto function = Functions().find(form.function);
  if (function == Functions().end()) {
    return Unsupported(source, node.operator_span,
                       absl::StrCat("the function \"", form.function, "\""));
  }
  ValueId operands[] = {-1, -1, -1};
  std::transform(form.arguments.begin(), form.arguments.end(), operands,
                 [&values](NodeId id) { return values[id]; });
  return Operation(function->second, operands[0], operands[1], operands[2]);
}

bool Lowering::IsConstant(ValueId id) const {
  return builder_.value(id).op == Op::kConstant;
}

ValueId Lowering::Operation(Op op, ValueId a, ValueId b, ValueId c) {
  if (op == Op::kNegate ||
      (IsConstant(a) && (b < 0 || IsConstant(b)) && (c < 0 || IsConstant(c)))) {
    return builder_.Fold(op, a, b, c);
  }
  return builder_.Emit(op, a, b, c);
}

ValueId Lowering::Unsupported(const Source& source, Span span,
                              const std::string& what) {
  diagnostics_.Error(
      "E_UNSUPPORTED", source, span,
      absl::StrCat(what, " cannot be simulated by this version"));
  return -1;
}

}  // namespace somafit
