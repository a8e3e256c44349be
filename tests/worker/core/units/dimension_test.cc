#include "worker/core/units/dimension.h"

#include <limits>

#include <gtest/gtest.h>

namespace somafit {
namespace {

constexpr Dimension kVolt{{2, 1, -3, -1, 0, 0, 0}};
constexpr Dimension kOhm{{2, 1, -3, -2, 0, 0, 0}};
constexpr Dimension kAmp{{0, 0, 0, 1, 0, 0, 0}};

TEST(DimensionTest, MultipliesAndDivides) {
  EXPECT_EQ(kOhm * kAmp, kVolt);
  EXPECT_EQ(kVolt / kOhm, kAmp);
  EXPECT_TRUE((kVolt / kVolt).IsNone());
  EXPECT_FALSE(kVolt.IsNone());
}

TEST(DimensionTest, FractionalPowersComeBackExactly) {
  for (const double denominator : {2.0, 3.0, 5.0, 7.0, 10.0}) {
    const Dimension root = kVolt.Power(1 / denominator);
    EXPECT_FALSE(root == kVolt);
    const Dimension back = root.Power(denominator);
    EXPECT_EQ(back.exponents(), kVolt.exponents()) << denominator;
  }
}

TEST(DimensionTest, ComparesWithTolerance) {
  EXPECT_EQ(kTimeDimension, Dimension({0, 0, 1 + 1e-9, 0, 0, 0, 0}));
  EXPECT_FALSE(kTimeDimension == Dimension({0, 0, 1 + 1e-7, 0, 0, 0, 0}));
}

TEST(DimensionTest, InfiniteExponentsEqualNothing) {
  const Dimension infinite =
      kVolt.Power(std::numeric_limits<double>::infinity());
  EXPECT_FALSE(infinite == infinite);
}

}  // namespace
}  // namespace somafit
