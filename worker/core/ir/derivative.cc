#include "worker/core/ir/derivative.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace somafit {

ValueId Derivatives::Of(ValueId root, size_t unknown) {
  auto& known = known_[unknown];
  known.emplace(unknowns_[unknown], Number(1));
  std::vector<ValueId> found = {root}, fresh;
  std::unordered_map<ValueId, bool> seen;
  while (!found.empty()) {
    const ValueId id = found.back();
    found.pop_back();
    if (known.count(id) > 0 || !seen.emplace(id, true).second) continue;
    fresh.push_back(id);
    const Value& value = builder_.value(id);
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) found.push_back(operand);
    }
  }
  // Operands come before what uses them.
  std::sort(fresh.begin(), fresh.end());
  for (const ValueId id : fresh) known.emplace(id, Derive(id, known));
  return known.at(root);
}

ValueId Derivatives::Derive(ValueId id,
                            const std::unordered_map<ValueId, ValueId>& known) {
  const Value value = builder_.value(id);
  const auto derivative = [&known](ValueId operand) {
    return operand < 0 ? kZero : known.at(operand);
  };
  const ValueId a = value.a, b = value.b, c = value.c;
  const ValueId da = derivative(a), db = derivative(b), dc = derivative(c);
  if (da == kZero && db == kZero && dc == kZero) return kZero;
  const auto fold = [this](Op op, ValueId x, ValueId y = -1) {
    return builder_.Fold(op, x, y);
  };
  const auto square = [&](ValueId x) { return fold(Op::kMultiply, x, x); };
  const auto one_plus = [&](ValueId x) { return fold(Op::kAdd, Number(1), x); };
  const auto one_minus = [&](ValueId x) {
    return fold(Op::kSubtract, Number(1), x);
  };
  switch (value.op) {
    case Op::kHold:
    case Op::kUpdated:
      return da;
    case Op::kNegate:
      return Negated(da);
    case Op::kAbs:
      return Product(fold(Op::kSign, a), da);
    case Op::kSqrt:
      return Quotient(Product(Number(0.5), da), id);
    case Op::kExp:
      return Product(id, da);
    case Op::kExpm1:
      return Product(one_plus(id), da);
    case Op::kExprel:
      return Product(ExprelSlope(a, id), da);
    case Op::kBernoulli: {
      const ValueId exprel = fold(Op::kExprel, a);
      return Negated(Product(square(id), Product(ExprelSlope(a, exprel), da)));
    }
    case Op::kSin:
      return Product(fold(Op::kCos, a), da);
    case Op::kCos:
      return Negated(Product(fold(Op::kSin, a), da));
    case Op::kTan:
      return Product(one_plus(square(id)), da);
    case Op::kSinh:
      return Product(fold(Op::kCosh, a), da);
    case Op::kCosh:
      return Product(fold(Op::kSinh, a), da);
    case Op::kTanh:
      return Product(one_minus(square(id)), da);
    case Op::kAsin:
      return Quotient(da, fold(Op::kSqrt, one_minus(square(a))));
    case Op::kAcos:
      return Negated(Quotient(da, fold(Op::kSqrt, one_minus(square(a)))));
    case Op::kAtan:
      return Quotient(da, one_plus(square(a)));
    case Op::kLog:
      return Quotient(da, a);
    case Op::kLog10:
      return Quotient(da, fold(Op::kMultiply, Number(std::numbers::ln10), a));
    case Op::kLog1p:
      return Quotient(da, one_plus(a));
    case Op::kAdd:
      return Sum(da, db);
    case Op::kSubtract:
      return Sum(da, Negated(db));
    case Op::kMultiply:
      return Sum(Product(da, b), Product(a, db));
    case Op::kDivide:
      return Quotient(Sum(da, Negated(Product(id, db))), b);
    case Op::kPower: {
      const ValueId lower =
          fold(Op::kPower, a, fold(Op::kSubtract, b, Number(1)));
      const ValueId by_base = Product(Product(b, lower), da);
      if (db == kZero) return by_base;
      return Sum(by_base, Product(Product(id, fold(Op::kLog, a)), db));
    }
    case Op::kModulo:
      return Sum(da, Negated(Product(fold(Op::kFloorDivide, a, b), db)));
    case Op::kFma:
      return Sum(Sum(Product(da, b), Product(a, db)), dc);
    case Op::kSelect:
      return Chosen(a, db, dc);
    case Op::kClip:
      return Chosen(fold(Op::kLess, a, b), db,
                    Chosen(fold(Op::kLess, c, a), dc, da));
    default:
      return kZero;  // constant between jumps
  }
}

ValueId Derivatives::Product(ValueId a, ValueId b) {
  if (a == kZero || b == kZero) return kZero;
  return builder_.Fold(Op::kMultiply, a, b);
}

ValueId Derivatives::Sum(ValueId a, ValueId b) {
  if (a == kZero) return b;
  if (b == kZero) return a;
  return builder_.Fold(Op::kAdd, a, b);
}

ValueId Derivatives::Negated(ValueId a) {
  return a == kZero ? kZero : builder_.Fold(Op::kNegate, a);
}

ValueId Derivatives::Quotient(ValueId a, ValueId b) {
  return a == kZero ? kZero : builder_.Fold(Op::kDivide, a, b);
}

ValueId Derivatives::Chosen(ValueId condition, ValueId a, ValueId b) {
  if (a == b) return a;
  const auto present = [this](ValueId id) {
    return id == kZero ? Number(0) : id;
  };
  return builder_.Fold(Op::kSelect, condition, present(a), present(b));
}

// (e^x - exprel x) / x = exprel x + (1 - exprel x) / x, which loses all digits
// near 0; there the series sum of k x^(k-1) / (k+1)!, whose first term left out
// is below 1e-16.
ValueId Derivatives::ExprelSlope(ValueId x, ValueId exprel) {
  constexpr double kNear = 0.5;
  constexpr int kTerms = 15;
  double factorial = 2;
  for (int k = 2; k <= kTerms; ++k) factorial *= k + 1;  // (kTerms + 1)!
  ValueId series = Number(kTerms / factorial);
  for (int k = kTerms - 1; k >= 1; --k) {
    factorial /= k + 2;
    series = builder_.Fold(Op::kAdd, Number(k / factorial),
                           builder_.Fold(Op::kMultiply, series, x));
  }
  const ValueId far = builder_.Fold(
      Op::kAdd, exprel,
      builder_.Fold(Op::kDivide,
                    builder_.Fold(Op::kSubtract, Number(1), exprel), x));
  return builder_.Fold(
      Op::kSelect,
      builder_.Fold(Op::kLess, builder_.Fold(Op::kAbs, x), Number(kNear)),
      series, far);
}

}  // namespace somafit
