#include "worker/core/ir/lower.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/exponential_euler.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

constexpr int kMaxExponent = 1024;
// Nodes lowered for one model; subexpressions count again for each initial
// value that uses them.
constexpr size_t kMaxLoweredNodes = 2'000'000;
constexpr ValueId kNotLowered = -2;  // -1: failed
constexpr std::string_view kMethod = "exponential_euler";

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

// Expressions -> values, for one meaning of the states: their values at the
// start of a step, or what they have been assigned so far.
class Lowering {
 public:
  Lowering(const Model& model, ProgramBuilder& builder,
           Diagnostics& diagnostics, bool initial)
      : model_(model),
        builder_(builder),
        diagnostics_(diagnostics),
        initial_(initial),
        subexpressions_(model.subexpressions.size(), kNotLowered) {
    for (size_t i = 0; i < model.states.size(); ++i) {
      states_.push_back(initial ? builder.Constant(0)
                                : builder.State(static_cast<int32_t>(i)));
    }
  }

  void Assign(size_t state, ValueId value) {
    states_[state] = value;
    // They may hold the state.
    subexpressions_.assign(model_.subexpressions.size(), kNotLowered);
  }
  const std::vector<ValueId>& states() const { return states_; }

  // -1 after an error. Subexpressions in it are lowered as they are met.
  ValueId Lower(const Expression& expression, const Source& source) {
    SOMAFIT_CHECK(expression.valid());
    LowerSubexpressions(expression);
    return LowerExpression(expression, source);
  }

  // The value of a variable of the model by name.
  ValueId LowerVariable(const std::string& name) {
    Expression expression;
    expression.nodes.push_back({Name{name}, {}, {}});
    expression.root = 0;
    return Lower(expression, model_.equations);
  }

 private:
  // Those that `expression` needs, in the model's order: each comes after those
  // that it uses.
  void LowerSubexpressions(const Expression& expression) {
    std::vector<bool> needed(model_.subexpressions.size(), false);
    MarkNeeded(expression, needed);
    for (size_t i = needed.size(); i-- > 0;) {
      if (needed[i] && subexpressions_[i] == kNotLowered)
        MarkNeeded(model_.subexpressions[i].right_side, needed);
    }
    for (size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i] || subexpressions_[i] != kNotLowered) continue;
      subexpressions_[i] = LowerExpression(model_.subexpressions[i].right_side,
                                           model_.equations);
    }
  }

  void MarkNeeded(const Expression& expression, std::vector<bool>& needed) {
    for (const Node& node : expression.nodes) {
      const Name* name = std::get_if<Name>(&node.form);
      if (name == nullptr) continue;
      const std::optional<Meaning> meaning = model_.Resolve(name->name);
      if (meaning && meaning->kind == Meaning::Kind::kSubexpression) {
        needed[meaning->index] = true;
      }
    }
  }

  ValueId LowerExpression(const Expression& expression, const Source& source) {
    n_lowered_ += expression.nodes.size();
    if (n_lowered_ > kMaxLoweredNodes) {
      return Unsupported(source, {}, "a model of this size");
    }
    const std::vector<bool> used = UsedNodes(expression);
    std::vector<ValueId> values(expression.nodes.size(), -1);
    for (NodeId id = 0; id <= expression.root; ++id) {
      if (used[id])
        values[id] = LowerNode(expression.nodes[id], values, source);
    }
    return values[expression.root];
  }

  ValueId LowerNode(const Node& node, const std::vector<ValueId>& values,
                    const Source& source) {
    return std::visit(
        Overloaded{
            [&](const Number& form) { return builder_.Constant(form.value); },
            [&](const Boolean&) {
              return Unsupported(source, node.span, "a truth value");
            },
            [&](const Name& form) { return LowerName(form, node, source); },
            [&](const Unary& form) {
              const ValueId operand = values[form.operand];
              if (operand < 0) return ValueId{-1};
              if (form.op == UnaryOperator::kPlus) return operand;
              if (form.op == UnaryOperator::kMinus) {
                return Operation(Op::kNegate, operand);
              }
              return Unsupported(source, node.operator_span, "\"not\"");
            },
            [&](const Binary& form) {
              return LowerBinary(form, node, values, source);
            },
            [&](const Call& form) {
              return LowerCall(form, node, values, source);
            },
        },
        node.form);
  }

  ValueId LowerName(const Name& form, const Node& node, const Source& source) {
    const std::optional<Meaning> meaning = model_.Resolve(form.name);
    if (!meaning.has_value()) {
      return Unsupported(source, node.span,
                         absl::StrCat("the name \"", form.name, "\""));
    }
    const auto index = static_cast<int32_t>(meaning->index);
    switch (meaning->kind) {
      case Meaning::Kind::kParameter:
        return builder_.Parameter(index);
      case Meaning::Kind::kState:
        return states_[index];
      case Meaning::Kind::kSubexpression:
        return subexpressions_[index];
      case Meaning::Kind::kInput:
        if (initial_) {
          return Unsupported(source, node.span,
                             absl::StrCat("the input \"", form.name,
                                          "\" in an initial value"));
        }
        return builder_.Input(index);
      case Meaning::Kind::kTime:
        return initial_ ? builder_.Constant(0) : builder_.Time();
      case Meaning::Kind::kTimeStep:
        return builder_.Constant(builder_.program().dt);
      case Meaning::Kind::kConstant:
        return builder_.Constant(meaning->value);
    }
    return -1;
  }

  ValueId LowerBinary(const Binary& form, const Node& node,
                      const std::vector<ValueId>& values,
                      const Source& source) {
    const ValueId left = values[form.left];
    const ValueId right = values[form.right];
    if (left < 0 || right < 0) return -1;
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
      default:
        break;
    }
    return Unsupported(
        source, node.operator_span,
        absl::StrCat("\"", std::string(OperatorText(form.op)), "\""));
  }

  ValueId LowerPower(ValueId base, ValueId exponent) {
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

  ValueId Reciprocal(ValueId value, bool wanted) {
    return wanted ? Operation(Op::kDivide, builder_.Constant(1), value) : value;
  }

  // By squaring, from the highest bit of the exponent down.
  ValueId IntegerPower(ValueId base, int exponent) {
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

  ValueId LowerCall(const Call& form, const Node& node,
                    const std::vector<ValueId>& values, const Source& source) {
    for (const NodeId argument : form.arguments) {
      if (values[argument] < 0) return -1;
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

  bool IsConstant(ValueId id) const {
    return builder_.value(id).op == Op::kConstant;
  }

  // As written, except that numbers are computed: exponents must be numbers.
  // Chains of signs are shortened too, so that folding never meets long ones.
  ValueId Operation(Op op, ValueId a, ValueId b = -1, ValueId c = -1) {
    if (op == Op::kNegate || (IsConstant(a) && (b < 0 || IsConstant(b)) &&
                              (c < 0 || IsConstant(c)))) {
      return builder_.Fold(op, a, b, c);
    }
    return builder_.Emit(op, a, b, c);
  }

  ValueId Unsupported(const Source& source, Span span,
                      const std::string& what) {
    diagnostics_.Error(
        "E_UNSUPPORTED", source, span,
        absl::StrCat(what, " cannot be simulated by this version"),
        "Use + - * / **, numbers and real functions such as exp or clip.");
    return -1;
  }

  const Model& model_;
  ProgramBuilder& builder_;
  Diagnostics& diagnostics_;
  const bool initial_;
  std::vector<ValueId> states_;
  std::vector<ValueId> subexpressions_;
  size_t n_lowered_ = 0;
};

Program Names(const Model& model, double dt,
              const std::vector<std::string>& outputs) {
  Program names;
  names.dt = dt;
  for (const auto& parameter : model.parameters) {
    names.parameters.push_back(parameter.name);
  }
  for (const auto& state : model.states) names.states.push_back(state.name);
  for (const auto& input : model.inputs) names.inputs.push_back(input.name);
  names.outputs = outputs;
  return names;
}

struct NamedPass {
  std::string_view name;
  Program (*run)(Program program);
};

// The order is part of the numbers' definition.
constexpr NamedPass kPasses[] = {
    {"fold constants", &FoldConstants},
    // Before products are fused, so that x / y + z is fused too.
    {"invert invariant divisors", &InvertInvariantDivisors},
    {"invert exprel", &InvertExprel},
    {"share exponentials", &ShareExponentials},
    {"fuse multiply add", &FuseMultiplyAdd},
    {"drop dead values", &DropDeadValues},
};

void CheckAndShow(std::string_view stage, const Program& program,
                  const ProgramObserver& observer) {
  const absl::Status status = VerifyProgram(program);
  if (!status.ok()) {
    std::fprintf(stderr, "after \"%.*s\": %s\n", static_cast<int>(stage.size()),
                 stage.data(), std::string(status.message()).c_str());
  }
  SOMAFIT_CHECK(status.ok());
  if (observer) observer(stage, program);
}

bool CheckMethod(const Model& model, Diagnostics& diagnostics) {
  if (model.method.empty() || model.method == kMethod) return true;
  diagnostics.FieldError("E_METHOD", "model.method",
                         absl::StrCat("method \"", model.method,
                                      "\" is not available in this version"),
                         "Use exponential_euler, or leave the method out.");
  return false;
}

}  // namespace

std::optional<Program> CompileProgram(const Model& model, double dt,
                                      const std::vector<std::string>& outputs,
                                      Diagnostics& diagnostics,
                                      const ProgramObserver& observer) {
  if (!CheckMethod(model, diagnostics)) return std::nullopt;
  if (!(dt > 0) || !std::isfinite(dt)) {
    diagnostics.FieldError(
        "E_OPTION", "dt",
        absl::StrCat("time step ", ShortestText(dt), " second is not above 0"),
        "Give a time step such as 0.01*ms.");
    return std::nullopt;
  }
  ProgramBuilder builder(Names(model, dt, outputs));
  bool lowered = true;
  const auto keep = [&lowered](std::vector<ValueId>& to, ValueId id) {
    lowered = lowered && id >= 0;
    to.push_back(id);
  };

  Lowering step(model, builder, diagnostics, /*initial=*/false);
  std::vector<ValueId> derivatives;
  for (const ModelVariable& state : model.states) {
    keep(derivatives, step.Lower(state.right_side, model.equations));
  }
  std::vector<ValueId> observed;
  for (const std::string& output : outputs) {
    keep(observed, step.LowerVariable(output));
  }
  Lowering start(model, builder, diagnostics, /*initial=*/true);
  for (const InitialValue& initial : model.initial_values) {
    const ValueId value = start.Lower(initial.value, initial.source);
    lowered = lowered && value >= 0;
    start.Assign(initial.state, value);
  }
  if (!lowered) return std::nullopt;

  builder.program().initial = start.states();
  builder.program().observed = observed;
  builder.program().next = derivatives;
  CheckAndShow("lowered", builder.program(), observer);
  const auto next =
      StepExponentialEuler(model, derivatives, builder, diagnostics);
  if (!next.has_value()) return std::nullopt;
  builder.program().next = *next;
  Program program = std::move(builder.program());
  CheckAndShow(kMethod, program, observer);
  for (const NamedPass& pass : kPasses) {
    program = pass.run(std::move(program));
    CheckAndShow(pass.name, program, observer);
  }
  return program;
}

}  // namespace somafit
