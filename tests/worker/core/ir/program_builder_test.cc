#include "worker/core/ir/program_builder.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace somafit {
namespace {

Program Names() {
  Program names;
  names.dt = 1;
  names.parameters = {"p", "q"};
  return names;
}

TEST(ProgramBuilderTest, KeepsOneOfEqualValues) {
  ProgramBuilder builder(Names());
  const ValueId p = builder.Parameter(0), q = builder.Parameter(1);
  EXPECT_EQ(builder.Parameter(0), p);
  EXPECT_NE(p, q);
  EXPECT_EQ(builder.Emit(Op::kAdd, p, q), builder.Emit(Op::kAdd, q, p));
  EXPECT_EQ(builder.Emit(Op::kFma, p, q, p), builder.Emit(Op::kFma, q, p, p));
  EXPECT_NE(builder.Emit(Op::kSubtract, p, q),
            builder.Emit(Op::kSubtract, q, p));
  EXPECT_NE(builder.Constant(0.0), builder.Constant(-0.0));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(builder.Constant(nan), builder.Constant(nan));
}

TEST(ProgramBuilderTest, FoldsOnlyWhatChangesNoBit) {
  ProgramBuilder builder(Names());
  const ValueId p = builder.Parameter(0), q = builder.Parameter(1);
  const ValueId zero = builder.Constant(0.0),
                minus_zero = builder.Constant(-0.0);
  const ValueId one = builder.Constant(1), minus_one = builder.Constant(-1);
  const ValueId minus_p = builder.Fold(Op::kNegate, p);
  EXPECT_EQ(builder.Fold(Op::kNegate, minus_p), p);
  EXPECT_EQ(builder.Fold(Op::kMultiply, p, one), p);
  EXPECT_EQ(builder.Fold(Op::kMultiply, minus_one, p), minus_p);
  EXPECT_EQ(builder.Fold(Op::kDivide, p, one), p);
  EXPECT_EQ(builder.Fold(Op::kDivide, p, minus_one), minus_p);
  EXPECT_EQ(builder.Fold(Op::kAdd, p, minus_zero), p);
  EXPECT_EQ(builder.Fold(Op::kSubtract, p, zero), p);
  EXPECT_EQ(builder.Fold(Op::kAdd, q, minus_p),
            builder.Emit(Op::kSubtract, q, p));
  EXPECT_EQ(builder.Fold(Op::kSubtract, q, minus_p),
            builder.Emit(Op::kAdd, q, p));
  EXPECT_EQ(builder.Fold(Op::kMultiply, minus_p, q),
            builder.Fold(Op::kNegate, builder.Emit(Op::kMultiply, p, q)));
  // These would turn -0 into 0, or NaN into 0.
  EXPECT_EQ(builder.value(builder.Fold(Op::kAdd, p, zero)).op, Op::kAdd);
  EXPECT_EQ(builder.value(builder.Fold(Op::kSubtract, p, minus_zero)).op,
            Op::kSubtract);
  EXPECT_EQ(builder.value(builder.Fold(Op::kMultiply, p, zero)).op,
            Op::kMultiply);
  EXPECT_EQ(builder.value(builder.Fold(Op::kSubtract, p, p)).op, Op::kSubtract);
}

TEST(ProgramBuilderTest, ComputesConstants) {
  ProgramBuilder builder(Names());
  const ValueId two = builder.Constant(2), three = builder.Constant(3);
  EXPECT_TRUE(builder.IsConstant(builder.Fold(Op::kAdd, two, three), 5));
  EXPECT_TRUE(
      builder.IsConstant(builder.Fold(Op::kDivide, two, three), 2.0 / 3.0));
  EXPECT_TRUE(builder.IsConstant(builder.Fold(Op::kFma, two, two, three), 7));
  EXPECT_TRUE(builder.IsConstant(builder.Fold(Op::kSqrt, two), std::sqrt(2.0)));
}

}  // namespace
}  // namespace somafit
