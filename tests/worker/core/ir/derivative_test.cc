#include "worker/core/ir/derivative.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace somafit {
namespace {

// The value of every id, where the states are `x`.
std::vector<double> Evaluate(const ProgramBuilder& builder,
                             const std::vector<double>& x) {
  std::vector<double> numbers;
  const auto number = [&numbers](ValueId id) {
    return id < 0 ? 0 : numbers[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < builder.size(); ++id) {
    const Value& value = builder.value(static_cast<ValueId>(id));
    numbers.push_back(value.op == Op::kConstant ? value.constant
                      : value.op == Op::kState
                          ? x[static_cast<size_t>(value.index)]
                          : ApplyOp(value.op, number(value.a), number(value.b),
                                    number(value.c)));
  }
  return numbers;
}

ProgramBuilder Builder() {
  Program names;
  names.dt = 1;
  names.states = {"a", "b", "c"};
  return ProgramBuilder(names);
}

struct Case {
  Op op;
  // Operands, of which derivatives are compared with differences.
  std::vector<std::vector<double>> points;
};

// Every operation on numbers, on both sides of its kinks and jumps.
const Case kCases[] = {
    {Op::kHold, {{0.3}}},
    {Op::kUpdated, {{0.3}}},
    {Op::kNegate, {{0.3}}},
    {Op::kAbs, {{0.3}, {-0.3}}},
    {Op::kSqrt, {{0.3}, {20}}},
    {Op::kExp, {{0.3}, {-3}}},
    {Op::kExpm1, {{0.3}, {-3}}},
    {Op::kExprel, {{0}, {1e-9}, {0.3}, {-0.49}, {-0.51}, {3}, {-30}}},
    {Op::kBernoulli, {{0}, {1e-9}, {0.3}, {-0.49}, {-0.51}, {3}, {-30}}},
    {Op::kSin, {{0.3}}},
    {Op::kCos, {{0.3}}},
    {Op::kTan, {{0.3}, {2}}},
    {Op::kSinh, {{0.3}, {-2}}},
    {Op::kCosh, {{0.3}, {-2}}},
    {Op::kTanh, {{0.3}, {-2}}},
    {Op::kAsin, {{0.3}, {-0.9}}},
    {Op::kAcos, {{0.3}, {-0.9}}},
    {Op::kAtan, {{0.3}, {-5}}},
    {Op::kLog, {{0.3}}},
    {Op::kLog10, {{0.3}}},
    {Op::kLog1p, {{0.3}, {-0.5}}},
    {Op::kSign, {{0.3}, {-0.3}}},
    {Op::kFloor, {{0.3}}},
    {Op::kCeil, {{0.3}}},
    {Op::kAdd, {{0.3, 2}}},
    {Op::kSubtract, {{0.3, 2}}},
    {Op::kMultiply, {{0.3, 2}}},
    {Op::kDivide, {{0.3, 2}}},
    {Op::kPower, {{0.3, 2.5}, {2, -1.5}}},
    {Op::kFloorDivide, {{7.3, 2}}},
    {Op::kModulo, {{7.3, 2}, {-7.3, 2}}},
    {Op::kLess, {{0.3, 2}}},
    {Op::kLessEqual, {{0.3, 2}}},
    {Op::kEqual, {{0.3, 2}}},
    {Op::kFma, {{0.3, 2, 5}}},
    {Op::kSelect, {{1, 2, 5}, {0, 2, 5}}},
    {Op::kClip, {{0.3, 1, 2}, {1.5, 1, 2}, {3, 1, 2}}},
};

TEST(DerivativeTest, EveryOperationAgreesWithDifferences) {
  for (const Case& each : kCases) {
    const int arity = OpArity(each.op);
    ProgramBuilder builder = Builder();
    std::vector<ValueId> x;
    for (int32_t i = 0; i < 3; ++i) x.push_back(builder.State(i));
    // Inside and outside of it, something else.
    const ValueId twice = builder.Emit(Op::kAdd, x[0], x[0]);
    const ValueId inner =
        each.op == Op::kUpdated
            ? builder.Updated(0, twice)
            : builder.Emit(each.op, twice, arity > 1 ? x[1] : -1,
                           arity > 2 ? x[2] : -1);
    const ValueId root = builder.Emit(Op::kMultiply, inner, inner);
    Derivatives derivatives(builder, x);
    std::vector<ValueId> found;
    for (size_t i = 0; i < 3; ++i) found.push_back(derivatives.Of(root, i));
    for (std::vector<double> point : each.points) {
      point[0] /= 2;
      point.resize(3, 0.7);
      for (size_t i = 0; i < 3; ++i) {
        // A condition that is equal to 0 has a difference on neither side.
        if (each.op == Op::kSelect && i == 0) continue;
        constexpr double kStep = 1e-5;
        std::vector<double> above = point, below = point;
        above[i] += kStep;
        below[i] -= kStep;
        const double difference =
            (Evaluate(builder, above)[static_cast<size_t>(root)] -
             Evaluate(builder, below)[static_cast<size_t>(root)]) /
            (2 * kStep);
        const double derivative =
            found[i] == Derivatives::kZero
                ? 0
                : Evaluate(builder, point)[static_cast<size_t>(found[i])];
        EXPECT_NEAR(derivative, difference, 1e-7 * (1 + std::fabs(difference)))
            << OpName(each.op) << " by " << i << " at " << point[0];
      }
    }
  }
}

// To the last digits, where a difference sees half of them.
TEST(DerivativeTest, ExprelsSlopeIsExact) {
  ProgramBuilder builder = Builder();
  const ValueId x = builder.State(0);
  Derivatives derivatives(builder, {x});
  const ValueId slope = derivatives.Of(builder.Emit(Op::kExprel, x), 0);
  const auto at = [&](double number) {
    return Evaluate(builder, {number, 0, 0})[static_cast<size_t>(slope)];
  };
  EXPECT_DOUBLE_EQ(at(0), 0.5);
  EXPECT_DOUBLE_EQ(at(1), 1.0);
  EXPECT_NEAR(at(-1), 1 - 2 * std::exp(-1.0), 1e-15);
  for (const double near : {0.4999999, -0.4999999}) {
    const double far = near > 0 ? near + 2e-7 : near - 2e-7;
    EXPECT_NEAR(at(near), at(far), 1e-7);
    // (e^x (x - 1) + 1) / x^2 by long double.
    const long double y = near;
    const auto exact =
        static_cast<double>((std::exp(y) * (y - 1) + 1) / (y * y));
    EXPECT_NEAR(at(near), exact, 4e-16);
  }
}

TEST(DerivativeTest, UnknownsCountAsIndependent) {
  ProgramBuilder builder = Builder();
  const ValueId x = builder.State(0);
  const ValueId square = builder.Emit(Op::kMultiply, x, x);
  const ValueId root = builder.Emit(Op::kAdd, square, x);
  Derivatives derivatives(builder, {x, square});
  EXPECT_EQ(derivatives.Of(root, 1), builder.Constant(1));
  EXPECT_EQ(derivatives.Of(x, 1), Derivatives::kZero);
}

}  // namespace
}  // namespace somafit
