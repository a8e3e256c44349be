#include "worker/core/ir/linear_form.h"

#include <algorithm>
#include <utility>

namespace somafit {
namespace {

// Values and terms that are formed for one model.
constexpr size_t kMaxWork = 200'000;
constexpr size_t kMaxTerms = 200'000;

}  // namespace

LinearForms::LinearForms(ProgramBuilder& builder,
                         const std::vector<ValueId>& unknowns)
    : builder_(builder) {
  for (size_t i = 0; i < unknowns.size(); ++i) {
    unknowns_.emplace(unknowns[i], static_cast<int32_t>(i));
  }
}

std::optional<LinearForm> LinearForms::Of(ValueId root) {
  Learn(root);
  return facts_.at(root).form;
}

bool LinearForms::is_full() const {
  return builder_.size() > kMaxWork || n_terms_ > kMaxTerms;
}

bool LinearForms::UsesUnknown(ValueId root) {
  Learn(root);
  return facts_.at(root).has_unknown;
}

bool LinearForms::UsesTime(ValueId root) {
  Learn(root);
  return facts_.at(root).uses_time;
}

// Operands come before what uses them.
void LinearForms::Learn(ValueId root) {
  std::vector<ValueId> found = {root}, unknown;
  std::unordered_map<ValueId, bool> seen;
  while (!found.empty()) {
    const ValueId id = found.back();
    found.pop_back();
    if (facts_.count(id) > 0 || !seen.emplace(id, true).second) continue;
    unknown.push_back(id);
    const Value& value = builder_.value(id);
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) found.push_back(operand);
    }
  }
  std::sort(unknown.begin(), unknown.end());
  for (const ValueId id : unknown) {
    const Value value = builder_.value(id);
    Facts facts;
    facts.has_unknown = unknowns_.count(id) > 0;
    facts.uses_time = value.op == Op::kTime;
    // What is held, or is updated, counts as a number.
    const bool is_number = value.op == Op::kHold || value.op == Op::kUpdated;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand < 0 || is_number) continue;
      facts.has_unknown |= facts_.at(operand).has_unknown;
      facts.uses_time |= facts_.at(operand).uses_time;
    }
    facts.form = FormOf(id, value, facts.has_unknown);
    if (facts.form) n_terms_ += facts.form->factors.size();
    facts_.emplace(id, std::move(facts));
  }
}

std::optional<LinearForm> LinearForms::FormOf(ValueId id, const Value& value,
                                              bool has_unknown) {
  if (!has_unknown) return LinearForm{{}, IsZero(id) ? ValueId{-1} : id};
  if (const auto found = unknowns_.find(id); found != unknowns_.end()) {
    return LinearForm{{{found->second, builder_.Constant(1)}}, -1};
  }
  if (is_full()) return std::nullopt;
  const auto& a = facts_.at(value.a);
  switch (value.op) {
    case Op::kNegate:
      if (!a.form) return std::nullopt;
      return Scaled(*a.form, Op::kMultiply, builder_.Constant(-1));
    case Op::kAdd:
    case Op::kSubtract: {
      const auto& b = facts_.at(value.b);
      if (!a.form || !b.form) return std::nullopt;
      return Sum(*a.form, *b.form, value.op);
    }
    case Op::kMultiply: {
      const auto& b = facts_.at(value.b);
      if (!b.has_unknown && a.form) return Scaled(*a.form, value.op, value.b);
      if (!a.has_unknown && b.form) return Scaled(*b.form, value.op, value.a);
      return std::nullopt;
    }
    case Op::kDivide:
      if (facts_.at(value.b).has_unknown || !a.form) return std::nullopt;
      return Scaled(*a.form, value.op, value.b);
    default:
      return std::nullopt;
  }
}

std::optional<LinearForm> LinearForms::Sum(const LinearForm& a,
                                           const LinearForm& b, Op op) {
  const bool minus = op == Op::kSubtract;
  // -1: they cancel.
  const auto combined = [&](ValueId left, ValueId right) {
    if (right < 0) return left;
    if (left < 0) return minus ? builder_.Fold(Op::kNegate, right) : right;
    if (minus && left == right) return ValueId{-1};
    const ValueId sum = builder_.Fold(op, left, right);
    return IsZero(sum) ? ValueId{-1} : sum;
  };
  LinearForm result = a;
  result.rest = combined(a.rest, b.rest);
  for (const auto& [unknown, factor] : b.factors) {
    const auto found = a.factors.find(unknown);
    const ValueId sum =
        combined(found == a.factors.end() ? -1 : found->second, factor);
    if (sum < 0) {
      result.factors.erase(unknown);
    } else {
      result.factors[unknown] = sum;
    }
  }
  return result;
}

LinearForm LinearForms::Scaled(const LinearForm& form, Op op, ValueId factor) {
  if (op == Op::kMultiply && IsZero(factor)) return {};
  const auto scaled = [&](ValueId id) {
    return id < 0 ? id : builder_.Fold(op, id, factor);
  };
  LinearForm result;
  result.rest = scaled(form.rest);
  for (const auto& [unknown, value] : form.factors) {
    result.factors[unknown] = scaled(value);
  }
  return result;
}

bool LinearForms::IsZero(ValueId id) const {
  return builder_.IsConstant(id, 0.0) || builder_.IsConstant(id, -0.0);
}

}  // namespace somafit
