#include "client/lib/histogram.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;

TEST(HistogramTest, LimitsAreWidened) {
  const Limits limits = LimitsOf({1, 3, std::nan(""), 2});
  EXPECT_DOUBLE_EQ(limits.lower, 0.8);
  EXPECT_DOUBLE_EQ(limits.upper, 3.2);
  // Of one value alone.
  EXPECT_LT(LimitsOf({5}).lower, 5);
  EXPECT_GT(LimitsOf({0}).upper, 0);
}

TEST(HistogramTest, BinsOfFreedmanAndDiaconis) {
  // IQR of 0..8 is 4, n^(1/3) is not whole; of eight values 0..7: 3.5, n is 8.
  const Histogram histogram = HistogramOf({0, 1, 2, 3, 4, 5, 6, 7}, {0, 7});
  EXPECT_DOUBLE_EQ(histogram.width, 3.5);
  EXPECT_THAT(histogram.counts, ElementsAre(4, 4));
  // Until past the upper limit; what lies beyond does not count.
  EXPECT_THAT(HistogramOf({0, 1, 2, 3, 4, 5, 6, 7}, {1, 9}).counts,
              ElementsAre(4, 3, 0));
}

TEST(HistogramTest, EqualValuesHaveASingleBin) {
  EXPECT_THAT(HistogramOf({2, 2, 2}, LimitsOf({2, 2, 2})).counts,
              ElementsAre(3));
  EXPECT_THAT(HistogramOf({}, {0, 1}).counts, ElementsAre(0));
  // One far away: no memory for millions of bins.
  std::vector<double> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1e-9 * i;
  values[0] = 1;
  EXPECT_LE(HistogramOf(values, LimitsOf(values)).counts.size(), 501u);
}

TEST(HistogramTest, CountsOfPairs) {
  const Grid grid = Histogram2d({0.1, 0.9, 0.9, 1, 7}, {0.1, 0.1, 0.1, 1, 0},
                                {0, 1}, {0, 1}, 2);
  EXPECT_THAT(grid.cells, ElementsAre(1, 2, 0, 1));
}

TEST(HistogramTest, RegionsOfHighestDensity) {
  const Grid grid{2, 2, {6, 3, 1, 0}};
  EXPECT_DOUBLE_EQ(HighestDensityThreshold(grid, 0.5), 6);
  EXPECT_DOUBLE_EQ(HighestDensityThreshold(grid, 0.68), 3);
  EXPECT_DOUBLE_EQ(HighestDensityThreshold(grid, 0.95), 1);
}

TEST(HistogramTest, ContourOfASlope) {
  // 0 1 / 0 1: the line x = 1 half way between the middles.
  const std::vector<double> lines = ContourLines({2, 2, {0, 1, 0, 1}}, 0.5);
  EXPECT_THAT(lines, ElementsAre(1, 0.5, 1, 1.5));
  EXPECT_TRUE(ContourLines({2, 2, {0, 0, 0, 0}}, 0.5).empty());
}

TEST(HistogramTest, SmoothingKeepsTheMiddle) {
  Grid grid{9, 9, std::vector<double>(81)};
  grid.cells[4 * 9 + 4] = 100;
  const Grid smooth = Smoothed(grid);
  EXPECT_DOUBLE_EQ(smooth.At(4, 4), 100);
  EXPECT_DOUBLE_EQ(smooth.At(4, 5), smooth.At(5, 4));
  EXPECT_LT(smooth.At(4, 5), 100);
  EXPECT_GT(smooth.At(4, 5), smooth.At(4, 6));
  EXPECT_THAT(Smoothed({1, 1, {0}}).cells, ElementsAre(0));
}

TEST(HistogramTest, Quantiles) {
  EXPECT_DOUBLE_EQ(QuantileOf({1, 2, 3}, 0.5), 2);
  EXPECT_DOUBLE_EQ(QuantileOf({1, 2}, 0.975), 1.975);
  EXPECT_TRUE(std::isnan(QuantileOf({}, 0.5)));
}

}  // namespace
}  // namespace somafit
