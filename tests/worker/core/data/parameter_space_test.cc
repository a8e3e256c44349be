#include "worker/core/data/parameter_space.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(ParameterSpaceTest, MapsTheCubeOntoTheBox) {
  const ParameterSpace space(
      {{"a", kNoDimension, 2e-12, 2e-7}, {"b", kNoDimension, -3, 0.1}});
  EXPECT_EQ(space.ToSi(std::vector<double>{0, 0}),
            (std::vector<double>{2e-12, -3}));
  EXPECT_EQ(space.ToSi(std::vector<double>{1, 1}),
            (std::vector<double>{2e-7, 0.1}));
  const std::vector<double> middle = space.ToSi(std::vector<double>{0.5, 0.5});
  EXPECT_DOUBLE_EQ(middle[0], 1.00001e-7);
  EXPECT_DOUBLE_EQ(middle[1], -1.45);
}

TEST(ParameterSpaceTest, NeverLeavesTheBox) {
  const ParameterSpace space({{"a", kNoDimension, 0.1, 0.3}});
  for (int i = 0; i <= 1000; ++i) {
    const double x = space.ToSi(std::vector<double>{i / 1000.0})[0];
    EXPECT_GE(x, 0.1);
    EXPECT_LE(x, 0.3);
  }
  EXPECT_EQ(space.ToSi(std::vector<double>{1.5})[0], 0.3);
}

TEST(ParameterSpaceTest, FixedOnesAreNoCoordinates) {
  const ParameterSpace space({{"a", kNoDimension, 3, 3},
                              {"b", kNoDimension, -1, 1},
                              {"c", kNoDimension, 0, 0}});
  EXPECT_EQ(space.free(), (std::vector<size_t>{1}));
  EXPECT_EQ(space.ToSi(std::vector<double>{0.75}),
            (std::vector<double>{3, 0.5, 0}));
}

TEST(ParameterSpaceTest, LogarithmicOnesMoveEvenlyInTheLogarithm) {
  const ParameterSpace space(
      {{"a", kNoDimension, 1e-9, 1e-5, true}, {"b", kNoDimension, 2, 4}});
  EXPECT_NEAR(space.ToSi(std::vector<double>{0.5, 0})[0], 1e-7, 1e-20);
  EXPECT_NEAR(space.ToSi(std::vector<double>{0, 0})[0], 1e-9, 1e-23);
  EXPECT_NEAR(space.ToSi(std::vector<double>{1, 0})[0], 1e-5, 1e-19);
  for (const double si : {1e-9, 3e-8, 1e-5}) {
    const double unit = space.ToUnit(0, si);
    EXPECT_NEAR(space.ToSi(std::vector<double>{unit, 0})[0], si, 1e-12 * si);
  }
  EXPECT_EQ(space.ToUnit(1, 3), 0.5);
  EXPECT_EQ(space.ToUnit(1, 5), 1);  // clamped
}

}  // namespace
}  // namespace somafit
