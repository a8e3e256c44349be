#include "worker/core/lang/expression_check.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/evaluate.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/timed_array_call.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

constexpr double kMaxExponent = 1e6;

class Checker {
 public:
  Checker(const Expression& expression, const Scope& scope,
          Diagnostics& diagnostics)
      : expression_(expression), scope_(scope), diagnostics_(diagnostics) {}

  Checked Run() {
    if (!expression_.valid()) return {};
    facts_.resize(expression_.nodes.size());
    for (size_t i = 0; i < facts_.size() && !diagnostics_.full(); ++i) {
      node_ = static_cast<NodeId>(i);
      facts_[i] = std::visit([this](const auto& form) { return Check(form); },
                             expression_.nodes[i].form);
    }
    const Fact& root = facts_[expression_.root];
    Checked checked{root.dimension, root.value, root.type, {}};
    for (const Fact& fact : facts_) checked.types.push_back(fact.type);
    return checked;
  }

 private:
  struct Fact {
    std::optional<Dimension> dimension;
    std::optional<double> value;
    ValueType type = ValueType::kFloat;
    bool compared = false;  // a comparison, or `and`, `or`, `not`
    bool called = false;    // there is a call in it
  };

  const Node& node() const { return expression_.nodes[node_]; }

  std::string Text(NodeId id) const {
    return Quoted(PrintExpression(expression_, id));
  }

  void Error(std::string code, Span span, std::string message,
             std::string hint = "") {
    if (!scope_.place.empty()) absl::StrAppend(&message, ", ", scope_.place);
    diagnostics_.Error(std::move(code), scope_.source, span, std::move(message),
                       std::move(hint));
  }

  Fact Check(const Number& number) {
    return {kNoDimension, number.value,
            number.integer ? ValueType::kInteger : ValueType::kFloat};
  }

  Fact Check(const Boolean& boolean) {
    return {kNoDimension, boolean.value ? 1.0 : 0.0, ValueType::kBoolean};
  }

  Fact Check(const Name& name) {
    const Binding binding = scope_.find(name.name);
    switch (binding.kind) {
      case Binding::Kind::kKnown: {
        Fact fact{binding.meaning.dimension, std::nullopt,
                  binding.meaning.type};
        if (binding.meaning.kind == Meaning::Kind::kConstant) {
          fact.value = binding.meaning.value;
        }
        return fact;
      }
      case Binding::Kind::kUnknownDimension:
      case Binding::Kind::kIgnored:
        return {};
      case Binding::Kind::kNotAvailable:
        NotAvailable(name.name, binding);
        return {};
      case Binding::Kind::kTimedArray:
        Error("E_SYNTAX", node().operator_span,
              absl::StrCat(Quoted(name.name),
                           " is a function of time and needs its arguments"),
              HintForCall(name.name, binding.timed_array));
        return {};
      case Binding::Kind::kUnknown:
        break;
    }
    if (FindFunction(name.name) != nullptr) {
      Error("E_SYNTAX", node().span,
            absl::StrCat(Quoted(name.name),
                         " is a function and needs its arguments"),
            absl::StrCat("write `", name.name, "(...)`"));
    } else {
      Unresolved(name.name);
    }
    return {};
  }

  void NotAvailable(const std::string& name, const Binding& binding) {
    Error(binding.code, node().operator_span,
          absl::StrCat(Quoted(name), " ", binding.reason), binding.hint);
  }

  void Unresolved(const std::string& name) {
    Error("E_UNRESOLVED", node().operator_span,
          absl::StrCat(Quoted(name), " is unknown"),
          HintForUnknown(name, scope_.candidates()));
  }

  Fact Check(const Unary& unary) {
    const Fact& operand = facts_[unary.operand];
    if (unary.op == UnaryOperator::kNot) {
      Fact fact = Truth({&operand});
      if (!NeedTruth(unary.operand, "not")) fact.dimension.reset();
      if (fact.value) fact.value = *operand.value == 0 ? 1.0 : 0.0;
      return fact;
    }
    Fact fact = operand;
    if (operand.dimension && operand.type == ValueType::kBoolean) {
      Error("E_TYPE", node().operator_span,
            absl::StrCat(Text(unary.operand),
                         " is a truth value and has no sign"),
            "wrap it in int(...)");
      fact.dimension.reset();
      return fact;
    }
    if (fact.value && unary.op == UnaryOperator::kMinus) {
      fact.value = -*fact.value;
    }
    return fact;
  }

  Fact Check(const Binary& binary) {
    const Fact& left = facts_[binary.left];
    const Fact& right = facts_[binary.right];
    Fact fact;
    fact.called = left.called || right.called;
    if (IsComparison(binary.op)) return CheckComparison(binary, left, right);
    if (binary.op == BinaryOperator::kAnd || binary.op == BinaryOperator::kOr) {
      return CheckLogic(binary, left, right);
    }
    if (!(NeedNumber(binary.left) & NeedNumber(binary.right))) return fact;
    fact.type = std::max({left.type, right.type, ValueType::kInteger});
    switch (binary.op) {
      case BinaryOperator::kAdd:
      case BinaryOperator::kSubtract:
        fact.dimension = CheckSum(binary, left, right);
        break;
      case BinaryOperator::kMultiply:
        if (left.dimension && right.dimension) {
          fact.dimension = Bounded(*left.dimension * *right.dimension);
        }
        break;
      case BinaryOperator::kDivide:
        fact.type = ValueType::kFloat;
        if (left.dimension && right.dimension) {
          fact.dimension = Bounded(*left.dimension / *right.dimension);
        }
        break;
      case BinaryOperator::kModulo:
        fact.dimension = CheckSum(binary, left, right);
        break;
      case BinaryOperator::kFloorDivide:
        fact.dimension = CheckFloorDivide(binary, left, right);
        break;
      default:
        fact.dimension = CheckPower(binary, left, right);
        // 2**-1 is 0.5.
        if (!(right.value && *right.value >= 0)) fact.type = ValueType::kFloat;
    }
    if (fact.dimension && left.value && right.value) {
      fact.value = Evaluate(binary.op, fact.type, *left.value, *right.value);
    }
    return fact;
  }

  static bool IsComparison(BinaryOperator op) {
    return op >= BinaryOperator::kLess && op <= BinaryOperator::kNotEqual;
  }

  // A truth value made from `operands`; with a value, to be set, if they have.
  static Fact Truth(std::initializer_list<const Fact*> operands) {
    Fact fact{kNoDimension, 0.0, ValueType::kBoolean};
    fact.compared = true;
    for (const Fact* const operand : operands) {
      if (!operand->dimension) fact.dimension.reset();
      if (!operand->value) fact.value.reset();
      fact.called |= operand->called;
    }
    return fact;
  }

  // False after an error: what is compared is no number to compute with.
  bool NeedNumber(NodeId id) {
    const Fact& fact = facts_[id];
    if (!fact.dimension || fact.type != ValueType::kBoolean) return true;
    if (fact.compared) {
      Error("E_TYPE", node().operator_span,
            absl::StrCat(Text(id), " is a truth value, not a number"),
            "wrap it in int(...)");
      return false;
    }
    diagnostics_.Add(
        Severity::kWarning, "W_BOOLARITH", scope_.source, node().operator_span,
        absl::StrCat("the truth value ", Text(id), " counts as 0 or 1"),
        "int(...) says so");
    return true;
  }

  bool NeedTruth(NodeId id, const std::string& for_whom) {
    const Fact& fact = facts_[id];
    if (!fact.dimension || fact.type == ValueType::kBoolean) return true;
    Error("E_TYPE", node().operator_span,
          absl::StrCat("`", for_whom, "` needs a truth value, but ", Text(id),
                       " is a number"),
          "compare it with something, e.g. `!= 0`");
    return false;
  }

  Fact CheckComparison(const Binary& binary, const Fact& left,
                       const Fact& right) {
    Fact fact = Truth({&left, &right});
    if (!fact.dimension) return fact;
    if (!CheckSum(binary, left, right)) {
      fact.dimension.reset();
      return fact;
    }
    if (fact.value) {
      fact.value =
          Evaluate(binary.op, ValueType::kBoolean, *left.value, *right.value);
    }
    return fact;
  }

  Fact CheckLogic(const Binary& binary, const Fact& left, const Fact& right) {
    Fact fact = Truth({&left, &right});
    const std::string name(OperatorText(binary.op));
    const bool truths =
        NeedTruth(binary.left, name) & NeedTruth(binary.right, name);
    if (!truths) fact.dimension.reset();
    if (fact.value) {
      fact.value =
          Evaluate(binary.op, ValueType::kBoolean, *left.value, *right.value);
    }
    return fact;
  }

  std::optional<Dimension> CheckFloorDivide(const Binary& binary,
                                            const Fact& left,
                                            const Fact& right) {
    if (!left.dimension || !right.dimension) return std::nullopt;
    if (left.dimension->IsNone() && right.dimension->IsNone()) {
      return kNoDimension;
    }
    const bool is_left = !left.dimension->IsNone();
    Error("E_DIM", node().operator_span,
          absl::StrCat(
              "`//` needs plain numbers, but ",
              Text(is_left ? binary.left : binary.right), " has the unit ",
              ReadableDimension(is_left ? *left.dimension : *right.dimension)),
          "divide by the unit first, e.g. `(v/mV)//1`");
    return std::nullopt;
  }

  std::optional<Dimension> CheckSum(const Binary& binary, const Fact& left,
                                    const Fact& right) {
    if (!left.dimension || !right.dimension) return std::nullopt;
    if (*left.dimension == *right.dimension) return left.dimension;
    const std::string left_text = Text(binary.left);
    const std::string right_text = Text(binary.right);
    Error("E_DIM", node().operator_span,
          absl::StrCat(left_text, " has the unit ",
                       ReadableDimension(*left.dimension), " but ", right_text,
                       " has the unit ", ReadableDimension(*right.dimension),
                       ", they cannot be ",
                       binary.op == BinaryOperator::kAdd        ? "added"
                       : binary.op == BinaryOperator::kSubtract ? "subtracted"
                       : binary.op == BinaryOperator::kModulo ? "divided by `%`"
                                                              : "compared"),
          HintForMismatch(left_text, *left.dimension, right_text,
                          *right.dimension));
    return std::nullopt;
  }

  // Repeated powers of powers must not end in an infinite exponent.
  std::optional<Dimension> Bounded(const Dimension& dimension) {
    for (const double exponent : dimension.exponents()) {
      if (std::abs(exponent) <= kMaxExponent) continue;
      Error("E_DIM", node().operator_span,
            "the exponents of the unit become too large");
      return std::nullopt;
    }
    return dimension;
  }

  std::optional<Dimension> CheckPower(const Binary& binary, const Fact& base,
                                      const Fact& exponent) {
    if (exponent.dimension && !exponent.dimension->IsNone()) {
      Error("E_DIM", node().operator_span,
            absl::StrCat("the exponent ", Text(binary.right), " has the unit ",
                         ReadableDimension(*exponent.dimension),
                         ", it must be a plain number"));
      return std::nullopt;
    }
    if (!base.dimension || !exponent.dimension) return std::nullopt;
    if (base.dimension->IsNone()) return base.dimension;
    if (!exponent.value || exponent.called) {
      Error(
          "E_DIM", node().operator_span,
          absl::StrCat("the exponent ", Text(binary.right),
                       " of a quantity in ", ReadableDimension(*base.dimension),
                       " must be a number known beforehand"),
          "divide the base by a unit first, or write the exponent as a "
          "number or constant");
      return std::nullopt;
    }
    if (!(std::abs(*exponent.value) <= kMaxExponent)) {
      Error("E_DIM", node().operator_span,
            absl::StrCat("the exponent ", Text(binary.right),
                         " of a quantity in ",
                         ReadableDimension(*base.dimension), " is too large"));
      return std::nullopt;
    }
    return Bounded(base.dimension->Power(*exponent.value));
  }

  Fact Check(const Call& call) {
    Fact fact;
    fact.called = true;
    const Function* function = FindFunction(call.function);
    if (function == nullptr) {
      fact.dimension = CheckNamedCallee(call);
      return fact;
    }
    if (!NeedArguments(call, function->arity)) return fact;
    std::vector<double> values;
    ValueType highest = ValueType::kInteger;
    for (const NodeId argument : call.arguments) {
      if (!facts_[argument].dimension) return fact;
      if (call.function != "int" && !NeedNumber(argument)) return fact;
      if (facts_[argument].value) values.push_back(*facts_[argument].value);
      highest = std::max(highest, facts_[argument].type);
    }
    fact.dimension = CheckArguments(call, function->rule);
    fact.type = function->result == ResultRule::kInteger ? ValueType::kInteger
                : function->result == ResultRule::kHighestOperand
                    ? highest
                    : ValueType::kFloat;
    if (fact.dimension && !function->is_random() &&
        values.size() == call.arguments.size()) {
      fact.value = function->evaluate(values.data());
    }
    if (call.function == "clip") WarnOfEmptyClip(call);
    return fact;
  }

  void WarnOfEmptyClip(const Call& call) {
    const auto& low = facts_[call.arguments[1]].value;
    const auto& high = facts_[call.arguments[2]].value;
    if (!low || !high || *low <= *high) return;
    diagnostics_.Add(
        Severity::kWarning, "W_CLIP", scope_.source, node().operator_span,
        absl::StrCat("the lower limit ", Text(call.arguments[1]),
                     " of `clip` is above the upper one"),
        "what is below the lower limit becomes the lower limit, all else the "
        "upper one");
  }

  bool NeedArguments(const Call& call, int count) {
    if (static_cast<int>(call.arguments.size()) == count) return true;
    Error("E_ARITY", node().operator_span,
          absl::StrCat("`", call.function, "` takes ", count,
                       count == 1 ? " argument, " : " arguments, ",
                       call.arguments.size(), " given"));
    return false;
  }

  // The result's dimension. REQUIRES: every argument has one.
  std::optional<Dimension> CheckArguments(const Call& call,
                                          DimensionRule rule) {
    if (call.arguments.empty()) return kNoDimension;
    const Dimension& first = *facts_[call.arguments[0]].dimension;
    switch (rule) {
      case DimensionRule::kAny:
        return kNoDimension;
      case DimensionRule::kSquareRoot:
        return first.Power(0.5);
      case DimensionRule::kTimes:
        for (const NodeId argument : call.arguments) {
          const Dimension& dimension = *facts_[argument].dimension;
          if (dimension == kTimeDimension) continue;
          Error("E_DIM", node().operator_span,
                absl::StrCat("`", call.function, "` needs times, but ",
                             Text(argument), " has the unit ",
                             ReadableDimension(dimension)));
          return std::nullopt;
        }
        return kNoDimension;
      case DimensionRule::kSame:
        for (const NodeId argument : call.arguments) {
          if (*facts_[argument].dimension == first) continue;
          Error("E_DIM", node().operator_span,
                absl::StrCat(
                    "the arguments of `", call.function,
                    "` must have one unit, but ", Text(call.arguments[0]),
                    " has ", ReadableDimension(first), " and ", Text(argument),
                    " has ", ReadableDimension(*facts_[argument].dimension)));
          return std::nullopt;
        }
        return first;
      case DimensionRule::kNone:
        break;
    }
    if (first.IsNone()) return kNoDimension;
    ReportArgument(call, first);
    return std::nullopt;
  }

  void ReportArgument(const Call& call, const Dimension& dimension) {
    const std::string unit = UnitFormula(dimension);
    Error("E_DIM", node().operator_span,
          absl::StrCat("`", call.function, "` needs a plain number, but ",
                       Text(call.arguments[0]), " has the unit ",
                       ReadableDimension(dimension)),
          absl::StrCat("divide the argument by ",
                       unit.find_first_of("*/") == std::string::npos
                           ? unit
                           : absl::StrCat("(", unit, ")")));
  }

  // What is called is none of the functions that every model has. The result's
  // dimension.
  std::optional<Dimension> CheckNamedCallee(const Call& call) {
    const Binding binding = scope_.find(call.function);
    switch (binding.kind) {
      case Binding::Kind::kTimedArray:
        return CheckTimedArray(call, binding.timed_array);
      case Binding::Kind::kIgnored:
        break;
      case Binding::Kind::kUnknown:
        Unresolved(call.function);
        break;
      case Binding::Kind::kNotAvailable:
        NotAvailable(call.function, binding);
        break;
      case Binding::Kind::kKnown:
      case Binding::Kind::kUnknownDimension:
        Error("E_SYNTAX", node().operator_span,
              absl::StrCat(Quoted(call.function), " is no function"),
              "there is no implicit multiplication: write `*`");
    }
    return std::nullopt;
  }

  std::optional<Dimension> CheckTimedArray(const Call& call,
                                           const TimedArray* array) {
    if (array == nullptr || !NeedArguments(call, array->columns > 0 ? 2 : 1)) {
      return std::nullopt;
    }
    std::vector<TimedArrayArgument> arguments;
    for (const NodeId id : call.arguments) {
      const Fact& fact = facts_[id];
      if (!fact.dimension) return std::nullopt;
      arguments.push_back({Text(id), *fact.dimension, fact.type, fact.value});
    }
    const auto mistakes = FindArgumentMistakes(*array, arguments);
    for (const ArgumentMistake& each : mistakes) {
      Error(each.code, node().operator_span, each.message, each.hint);
    }
    return mistakes.empty() ? std::optional(array->dimension) : std::nullopt;
  }

  const Expression& expression_;
  const Scope& scope_;
  Diagnostics& diagnostics_;
  NodeId node_ = 0;
  std::vector<Fact> facts_;
};

}  // namespace

Checked CheckExpression(const Expression& expression, const Scope& scope,
                        Diagnostics& diagnostics) {
  return Checker(expression, scope, diagnostics).Run();
}

}  // namespace somafit
