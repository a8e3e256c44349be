#include "worker/core/lang/expression_check.h"

#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

constexpr double kMaxExponent = 1e6;

// The remedy for two dimensions that should be one, or "".
std::string HintForMismatch(const std::string& left, const Dimension& a,
                            const std::string& right, const Dimension& b) {
  if (a.IsNone() || b.IsNone()) {
    const std::string& plain = a.IsNone() ? left : right;
    const std::string unit = UnitFormula(a.IsNone() ? b : a);
    return absl::StrCat("a plain number, 0 included, has no unit: multiply ",
                        plain, " by one, e.g. `*", unit, "`");
  }
  if (a == b * kTimeDimension || b == a * kTimeDimension) {
    return "did you forget to divide by a time constant?";
  }
  return "";
}

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
    return {root.dimension, root.value};
  }

 private:
  struct Fact {
    std::optional<Dimension> dimension;
    std::optional<double> value;
    bool called = false;       // there is a call in it
    bool unsupported = false;  // there is something refused in it
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

  Fact Unsupported(std::string what, bool reported) {
    if (!reported) {
      Error("E_UNSUPPORTED", node().operator_span,
            absl::StrCat(what, " is not available yet"));
    }
    Fact fact;
    fact.unsupported = true;
    return fact;
  }

  Fact Check(const Number& number) { return {kNoDimension, number.value}; }

  Fact Check(const Boolean& boolean) {
    return Unsupported(boolean.value ? "`True`" : "`False`", false);
  }

  Fact Check(const Name& name) {
    const Binding binding = scope_.find(name.name);
    switch (binding.kind) {
      case Binding::Kind::kKnown: {
        Fact fact{binding.meaning.dimension, std::nullopt};
        if (binding.meaning.kind == Meaning::Kind::kConstant) {
          fact.value = binding.meaning.value;
        }
        return fact;
      }
      case Binding::Kind::kUnknownDimension:
      case Binding::Kind::kIgnored:
        return {};
      case Binding::Kind::kNotAvailable: {
        Error("E_UNSUPPORTED", node().span,
              absl::StrCat(Quoted(name.name), " ", binding.reason));
        Fact fact;
        fact.unsupported = true;
        return fact;
      }
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

  void Unresolved(const std::string& name) {
    if (name == "celsius") {
      Error("E_UNRESOLVED", node().operator_span, "`celsius` is no unit",
            "use differences in kelvin, or add 273.15*kelvin");
      return;
    }
    std::string nearest = NearestWord(name, scope_.candidates());
    if (nearest.empty()) nearest = NearestWord(name, DefaultNames());
    Error("E_UNRESOLVED", node().operator_span,
          absl::StrCat(Quoted(name), " is unknown"),
          nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?"));
  }

  Fact Check(const Unary& unary) {
    const Fact& operand = facts_[unary.operand];
    if (unary.op == UnaryOperator::kNot) {
      return Unsupported("`not`", operand.unsupported);
    }
    Fact fact = operand;
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
    fact.unsupported = left.unsupported || right.unsupported;
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
        if (left.dimension && right.dimension) {
          fact.dimension = Bounded(*left.dimension / *right.dimension);
        }
        break;
      case BinaryOperator::kPower:
        fact.dimension = CheckPower(binary, left, right);
        break;
      default:
        return Unsupported(
            absl::StrCat("`", std::string(OperatorText(binary.op)), "`"),
            fact.unsupported);
    }
    if (fact.dimension && left.value && right.value) {
      fact.value = Evaluate(binary.op, *left.value, *right.value);
    }
    return fact;
  }

  static double Evaluate(BinaryOperator op, double left, double right) {
    switch (op) {
      case BinaryOperator::kAdd:
        return left + right;
      case BinaryOperator::kSubtract:
        return left - right;
      case BinaryOperator::kMultiply:
        return left * right;
      case BinaryOperator::kDivide:
        return left / right;
      default:
        return Power(left, right);
    }
  }

  std::optional<Dimension> CheckSum(const Binary& binary, const Fact& left,
                                    const Fact& right) {
    if (!left.dimension || !right.dimension) return std::nullopt;
    if (*left.dimension == *right.dimension) return left.dimension;
    const std::string left_text = Text(binary.left);
    const std::string right_text = Text(binary.right);
    Error("E_DIM", node().operator_span,
          absl::StrCat(
              left_text, " has the unit ", ReadableDimension(*left.dimension),
              " but ", right_text, " has the unit ",
              ReadableDimension(*right.dimension), ", they cannot be ",
              binary.op == BinaryOperator::kAdd ? "added" : "subtracted"),
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
    for (const NodeId argument : call.arguments) {
      fact.unsupported |= facts_[argument].unsupported;
    }
    const Function* function = FindFunction(call.function);
    if (function == nullptr) {
      CheckCallee(call.function);
      return fact;
    }
    if (static_cast<int>(call.arguments.size()) != function->arity) {
      Error("E_ARITY", node().operator_span,
            absl::StrCat("`", call.function, "` takes ", function->arity,
                         function->arity == 1 ? " argument, " : " arguments, ",
                         call.arguments.size(), " given"));
      return fact;
    }
    if (!function->available()) {
      return Unsupported(absl::StrCat("the function `", call.function, "`"),
                         false);
    }
    std::vector<double> values;
    for (const NodeId argument : call.arguments) {
      if (!facts_[argument].dimension) return fact;
      if (facts_[argument].value) values.push_back(*facts_[argument].value);
    }
    fact.dimension = CheckArguments(call, function->rule);
    if (fact.dimension && values.size() == call.arguments.size()) {
      fact.value = function->evaluate(values.data());
    }
    return fact;
  }

  // The result's dimension. REQUIRES: every argument has one.
  std::optional<Dimension> CheckArguments(const Call& call,
                                          DimensionRule rule) {
    const Dimension& first = *facts_[call.arguments[0]].dimension;
    switch (rule) {
      case DimensionRule::kAny:
        return kNoDimension;
      case DimensionRule::kSquareRoot:
        return first.Power(0.5);
      case DimensionRule::kSame:
        for (const NodeId argument : call.arguments) {
          if (*facts_[argument].dimension == first) continue;
          Error("E_DIM", node().operator_span,
                absl::StrCat("the arguments of `", call.function,
                             "` must have one unit, but ",
                             Text(call.arguments[0]), " has ",
                             ReadableDimension(first), " and ", Text(argument),
                             " has ",
                             ReadableDimension(*facts_[argument].dimension)));
          return std::nullopt;
        }
        return first;
      default:
        if (first.IsNone()) return kNoDimension;
        ReportArgument(call, first);
        return std::nullopt;
    }
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

  void CheckCallee(const std::string& name) {
    const Binding binding = scope_.find(name);
    if (binding.kind == Binding::Kind::kIgnored) return;
    if (binding.kind == Binding::Kind::kUnknown) return Unresolved(name);
    Error("E_SYNTAX", node().operator_span,
          absl::StrCat(Quoted(name), " is no function"),
          "there is no implicit multiplication: write `*`");
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

bool CheckDimension(const Expression& expression, const Dimension& found,
                    const Dimension& wanted, const std::string& subject,
                    const Source& source, Diagnostics& diagnostics) {
  if (found == wanted) return true;
  const std::string text = Quoted(PrintExpression(expression));
  std::string hint = HintForMismatch(text, found, subject, wanted);
  if (found == wanted * kTimeDimension) {
    hint = "did you forget to divide by a time constant?";
  } else if (wanted.IsNone()) {
    hint =
        absl::StrCat("divide by the unit, e.g. `/(", UnitFormula(found), ")`");
  }
  diagnostics.Error(
      "E_DIM", source, expression.nodes[expression.root].span,
      absl::StrCat(text, " has the unit ", ReadableDimension(found), " but ",
                   subject, " needs ", ReadableDimension(wanted)),
      std::move(hint));
  return false;
}

}  // namespace somafit
