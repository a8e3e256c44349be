#include "worker/core/ir/exponential_euler.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/method.h"

namespace somafit {
namespace {

// Beyond these an expansion is given up: some expressions have very long ones.
constexpr size_t kMaxTerms = 32;
constexpr size_t kMaxExpandedValues = 400'000;
// Values looked at, over all states of a model.
constexpr int64_t kMaxWork = 60'000'000;

struct Term {
  double power;
  ValueId coefficient;  // never the constant 0
};
// A sum of coefficient * x^power, by ascending power; empty is 0.
using Polynomial = std::vector<Term>;

// All that a value is made of, operands first; what is held counts as one.
// Takes what it costs off `budget`.
std::vector<ValueId> Reachable(const ProgramBuilder& builder, ValueId root,
                               int64_t& budget) {
  std::vector<bool> seen(root + 1, false);
  seen[root] = true;
  std::vector<ValueId> ids;
  for (ValueId id = root; id >= 0; --id) {
    if (!seen[id]) continue;
    ids.push_back(id);
    const Value& value = builder.value(id);
    if (value.op == Op::kHold || value.op == Op::kUpdated) continue;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) seen[operand] = true;
    }
  }
  std::reverse(ids.begin(), ids.end());
  budget -= root / 8 + 16 * static_cast<int64_t>(ids.size());
  return ids;
}

bool DependsOn(const ProgramBuilder& builder, ValueId root, ValueId leaf,
               int64_t& budget) {
  const std::vector<ValueId> ids = Reachable(builder, root, budget);
  return std::binary_search(ids.begin(), ids.end(), leaf);
}

class Expansion {
 public:
  Expansion(ProgramBuilder& builder, ValueId state, int64_t& budget)
      : builder_(builder), state_(state), budget_(budget) {}

  // nullopt: too long.
  std::optional<Polynomial> Expand(ValueId root) {
    std::unordered_map<ValueId, Polynomial> known;
    std::unordered_map<ValueId, bool> depends;
    const size_t limit = builder_.size() + kMaxExpandedValues;
    const std::vector<ValueId> ids = Reachable(builder_, root, budget_);
    if (budget_ < 0) return std::nullopt;
    for (const ValueId id : ids) {
      const Value value = builder_.value(id);
      bool has_state = id == state_;
      for (const ValueId operand : {value.a, value.b, value.c}) {
        has_state = has_state || (operand >= 0 && depends[operand]);
      }
      const bool is_number = value.op == Op::kHold || value.op == Op::kUpdated;
      has_state = id == state_ || (has_state && !is_number);
      depends[id] = has_state;
      Polynomial result =
          has_state ? ExpandValue(id, value, known, depends) : Atom(id);
      if (result.size() > kMaxTerms || builder_.size() > limit) {
        return std::nullopt;
      }
      known[id] = std::move(result);
    }
    return known[root];
  }

 private:
  Polynomial Atom(ValueId id) const {
    if (IsZero(id)) return {};
    return {{0.0, id}};
  }

  bool IsZero(ValueId id) const {
    return builder_.IsConstant(id, 0.0) || builder_.IsConstant(id, -0.0);
  }

  Polynomial ExpandValue(ValueId id, const Value& value,
                         const std::unordered_map<ValueId, Polynomial>& known,
                         const std::unordered_map<ValueId, bool>& depends) {
    if (id == state_) return {{1.0, builder_.Constant(1.0)}};
    switch (value.op) {
      case Op::kNegate:
        return Map(known.at(value.a),
                   [this](ValueId c) { return builder_.Fold(Op::kNegate, c); });
      case Op::kAdd:
      case Op::kSubtract:
        return Sum(known.at(value.a), known.at(value.b), value.op);
      case Op::kMultiply:
        return Product(known.at(value.a), known.at(value.b));
      case Op::kDivide:
        return Quotient(known.at(value.a), known.at(value.b), value.b,
                        depends.at(value.b));
      case Op::kSqrt:
        if (value.a == state_) return {{0.5, builder_.Constant(1.0)}};
        return Atom(id);
      default:
        return Atom(id);
    }
  }

  template <typename F>
  Polynomial Map(const Polynomial& a, F&& f) {
    Polynomial result;
    for (const Term& term : a) Push(result, term.power, f(term.coefficient));
    return result;
  }

  void Push(Polynomial& to, double power, ValueId coefficient) const {
    if (!IsZero(coefficient)) to.push_back({power, coefficient});
  }

  Polynomial Sum(const Polynomial& a, const Polynomial& b, Op op) {
    const bool minus = op == Op::kSubtract;
    const auto right = [&](ValueId c) {
      return minus ? builder_.Fold(Op::kNegate, c) : c;
    };
    Polynomial result;
    size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
      if (j == b.size() || (i < a.size() && a[i].power < b[j].power)) {
        result.push_back(a[i++]);
      } else if (i == a.size() || b[j].power < a[i].power) {
        Push(result, b[j].power, right(b[j].coefficient));
        ++j;
      } else {
        // c - c vanishes, as it does on paper: inf - inf is not meant.
        if (!minus || a[i].coefficient != b[j].coefficient) {
          Push(result, a[i].power,
               builder_.Fold(op, a[i].coefficient, b[j].coefficient));
        }
        ++i;
        ++j;
      }
    }
    return result;
  }

  Polynomial Product(const Polynomial& a, const Polynomial& b) {
    Polynomial result;
    for (const Term& left : a) {
      Polynomial row;
      for (const Term& right : b) {
        Push(row, left.power + right.power,
             builder_.Fold(Op::kMultiply, left.coefficient, right.coefficient));
      }
      result = Sum(result, row, Op::kAdd);
      if (result.size() > kMaxTerms) break;
    }
    return result;
  }

  Polynomial Quotient(const Polynomial& a, const Polynomial& b, ValueId divisor,
                      bool divisor_has_state) {
    // One term divides term by term; a sum stays whole, as a number of its own.
    double power = 0;
    if (divisor_has_state && b.size() == 1) {
      power = b[0].power;
      divisor = b[0].coefficient;
    }
    Polynomial result;
    for (const Term& term : a) {
      Push(result, term.power - power,
           builder_.Fold(Op::kDivide, term.coefficient, divisor));
    }
    return result;
  }

  ProgramBuilder& builder_;
  const ValueId state_;
  int64_t& budget_;
};

// Takes invariant factors off the derivative and onto the step: h f becomes
// `step` * `rest`, so that e.g. h / Cm is computed once.
struct Factored {
  ValueId step;
  ValueId rest;
};

Factored FactorStep(ProgramBuilder& builder, ValueId derivative) {
  Factored result{builder.Constant(builder.program().dt), derivative};
  const auto varies = [&builder](ValueId id) {
    return builder.rate(id) == Rate::kPerStep;
  };
  while (varies(result.rest)) {
    const Value value = builder.value(result.rest);
    if (value.op == Op::kDivide && !varies(value.b)) {
      result = {builder.Fold(Op::kDivide, result.step, value.b), value.a};
    } else if (value.op == Op::kMultiply && !varies(value.b)) {
      result = {builder.Fold(Op::kMultiply, result.step, value.b), value.a};
    } else if (value.op == Op::kMultiply && !varies(value.a)) {
      result = {builder.Fold(Op::kMultiply, result.step, value.a), value.b};
    } else if (value.op == Op::kNegate) {
      result = {builder.Fold(Op::kNegate, result.step), value.a};
    } else {
      break;
    }
  }
  return result;
}

std::string PowerText(const std::string& name, double power) {
  if (power == 1) return name;
  return absl::StrCat(name, "**", ShortestText(power));
}

class Stepper {
 public:
  Stepper(const Model& model, ProgramBuilder& builder, Diagnostics& diagnostics)
      : model_(model), builder_(builder), diagnostics_(diagnostics) {}

  // -1 after an error.
  ValueId Step(size_t index, ValueId x, ValueId derivative) {
    const ModelVariable& variable = model_.states[index];
    const auto [h, rest] = FactorStep(builder_, derivative);
    const std::optional<Polynomial> terms =
        Expansion(builder_, x, budget_).Expand(rest);
    if (!terms.has_value()) {
      return Refuse(variable, "the right-hand side is too long when expanded",
                    "Write it as A*x + B, or name parts of it as "
                    "subexpressions that do not hold the variable itself.");
    }
    ValueId a = -1, b = -1;
    for (const Term& term : *terms) {
      if (term.power == 0) {
        b = term.coefficient;
      } else if (term.power == 1) {
        a = term.coefficient;
      } else {
        return Refuse(
            variable,
            absl::StrCat("the right-hand side holds the term ",
                         PowerText(variable.name, term.power)),
            "This method needs each right-hand side to be linear in its own "
            "variable.");
      }
    }
    const bool frozen = (a >= 0 && DependsOn(builder_, a, x, budget_)) ||
                        (b >= 0 && DependsOn(builder_, b, x, budget_));
    if (a < 0) {
      if (frozen) {
        return Refuse(variable,
                      absl::StrCat("the right-hand side holds ", variable.name,
                                   " only inside functions or below a fraction "
                                   "bar"),
                      "This method needs each right-hand side to be linear in "
                      "its own variable.");
      }
      if (b < 0) return x;
      return builder_.Fold(Op::kAdd, x, builder_.Fold(Op::kMultiply, b, h));
    }
    if (frozen) Warn(variable);
    ValueId slope = builder_.Fold(Op::kMultiply, a, x);
    if (b >= 0) slope = builder_.Fold(Op::kAdd, slope, b);
    const ValueId growth =
        builder_.Fold(Op::kExprel, builder_.Fold(Op::kMultiply, a, h));
    const ValueId span = builder_.Fold(Op::kMultiply, h, growth);
    return builder_.Fold(Op::kAdd, x,
                         builder_.Fold(Op::kMultiply, slope, span));
  }

 private:
  ValueId Refuse(const ModelVariable& variable, const std::string& reason,
                 std::string hint) {
    diagnostics_.Error("E_METHOD", model_.equations, variable.name_span,
                       absl::StrCat("exponential_euler cannot integrate d",
                                    variable.name, "/dt: ", reason),
                       std::move(hint));
    return -1;
  }

  void Warn(const ModelVariable& variable) {
    diagnostics_.Add(
        Severity::kWarning, "W_FROZEN_NONLINEAR", model_.equations,
        variable.name_span,
        absl::StrCat("exponential_euler holds the parts of d", variable.name,
                     "/dt constant over a step in which ", variable.name,
                     " occurs other than linearly"),
        "Choose a time step in which they change little.");
  }

  const Model& model_;
  ProgramBuilder& builder_;
  Diagnostics& diagnostics_;
  int64_t budget_ = kMaxWork;
};

}  // namespace

std::optional<std::vector<ValueId>> StepExponentialEuler(
    const Model& model, const std::vector<ValueId>& states,
    const std::vector<ValueId>& derivatives, ProgramBuilder& builder,
    Diagnostics& diagnostics) {
  SOMAFIT_CHECK(derivatives.size() == model.states.size());
  Stepper stepper(model, builder, diagnostics);
  std::vector<ValueId> next;
  for (size_t i = 0; i < derivatives.size(); ++i) {
    next.push_back(stepper.Step(i, states[i], derivatives[i]));
  }
  if (std::find(next.begin(), next.end(), -1) != next.end()) {
    return std::nullopt;
  }
  return next;
}

extern const MethodEntry kExponentialEuler = {
    "exponential_euler",
    "each equation's linear part solved exactly, the others held", 1,
    [](StepContext& context) -> std::optional<std::vector<ValueId>> {
      if (context.RefusesNoise("exponential_euler")) return std::nullopt;
      return StepExponentialEuler(context.model, context.states,
                                  context.derivatives, context.builder,
                                  context.diagnostics);
    }};

}  // namespace somafit
