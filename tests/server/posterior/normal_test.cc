#include "server/posterior/normal.h"

#include <cmath>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(NormalTest, AgreesWithTheErrorFunction) {
  for (double x = -37; x < 9; x += 0.37) {
    const double expected = 0.5 * std::erfc(-x * std::sqrt(0.5));
    EXPECT_NEAR(NormalCdf(x) / expected, 1, 1e-12) << x;
  }
}

TEST(NormalTest, QuantileInvertsTheDistribution) {
  for (const double p : {1e-280, 1e-100, 1e-16, 1e-9, 0.001, 0.0750001, 0.0749,
                         0.3, 0.5, 0.7, 0.925, 0.99, 1 - 1e-9}) {
    EXPECT_NEAR(NormalCdf(NormalQuantile(p)) / p, 1, 2e-13) << p;
    if (p > 1e-15) {
      EXPECT_NEAR(NormalQuantile(1 - p), -NormalQuantile(p), 1e-15 / p) << p;
    }
  }
}

TEST(NormalTest, HasTheMomentsOfANormalDistribution) {
  RandomStream random(1, StreamPurpose::kPrior, 0, 0);
  double sum = 0, squares = 0, fourth = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const double z = StandardNormal(random);
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  // Within five standard errors.
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourth / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
}

}  // namespace
}  // namespace somafit
