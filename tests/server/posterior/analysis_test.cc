#include <cmath>
#include <numeric>

#include <Eigen/LU>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/conditional.h"
#include "server/posterior/gaussian_mixture.h"
#include "server/posterior/normal.h"
#include "server/posterior/pairplot.h"
#include "server/posterior/sample_statistics.h"

namespace somafit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Correlated, of sizes 1e-12 and 1e3.
constexpr double kUnits[] = {1e-12, 1, 1e3};
MixtureDensity Example() {
  Eigen::Matrix3d precision;
  precision << 2, 0.9, -0.5, 0.9, 1.5, 0.4, -0.5, 0.4, 1;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) precision(i, j) /= kUnits[i] * kUnits[j];
  }
  return MixtureDensity({{0}, {Eigen::Vector3d(5e-12, -1, 2e3)}, {precision}});
}

TEST(StatisticsTest, AreThoseOfTheDistribution) {
  const MixtureDensity density = Example();
  constexpr int kN = 40'000;
  std::vector<double> theta(3 * kN);
  density.Sample({1, 0}, 0, theta);
  const auto statistics = StatisticsOf(theta, 3);
  ASSERT_TRUE(statistics.ok());
  const Eigen::MatrixXd covariance = CovarianceOf(density.mixture());
  const double five = 5 / std::sqrt(kN);
  for (int i = 0; i < 3; ++i) {
    const double sd = std::sqrt(covariance(i, i));
    const MarginalStatistics& one = statistics->marginals[i];
    EXPECT_NEAR(one.standard_deviation / sd, 1, five);
    EXPECT_NEAR((one.mean - density.mixture().means[0][i]) / sd, 0, five);
    for (int q = 0; q < 5; ++q) {
      EXPECT_NEAR((one.quantiles[q] - one.mean) / sd,
                  NormalQuantile(kQuantiles[q]), 0.08);
    }
    EXPECT_NEAR((one.peak - one.mean) / sd, 0, 0.2);
    for (int j = 0; j < 3; ++j) {
      EXPECT_NEAR(statistics->correlation(i, j),
                  covariance(i, j) / std::sqrt(covariance(i, i)) /
                      std::sqrt(covariance(j, j)),
                  five);
    }
  }
  std::vector<double> prior_sd;
  for (int i = 0; i < 3; ++i) {
    prior_sd.push_back(2 * statistics->marginals[i].standard_deviation);
  }
  EXPECT_NEAR(Shrinkage(*statistics, prior_sd)[1], 0.75, 1e-12);
}

TEST(StatisticsTest, OfAFewKnownNumbers) {
  const std::vector<double> theta = {1, 7, 2, 7, 4, 7};
  const auto statistics = StatisticsOf(theta, 2);
  ASSERT_TRUE(statistics.ok());
  EXPECT_NEAR(statistics->marginals[0].mean, 7.0 / 3, 1e-15);
  EXPECT_NEAR(statistics->marginals[0].standard_deviation, std::sqrt(7.0 / 3),
              1e-15);
  EXPECT_NEAR(statistics->marginals[0].quantiles[1], 1.5, 1e-15);
  EXPECT_NEAR(statistics->marginals[0].quantiles[4], 3.9, 1e-14);
  EXPECT_EQ(statistics->marginals[1].standard_deviation, 0);
  EXPECT_EQ(statistics->marginals[1].peak, 7);
  EXPECT_EQ(statistics->correlation, Eigen::Matrix2d::Identity());
  EXPECT_FALSE(StatisticsOf(std::span(theta).first(2), 2).ok());
  std::vector<double> bad = theta;
  bad[3] = NAN;
  EXPECT_FALSE(StatisticsOf(bad, 2).ok());
  const CleanRows clean = DropInvalidRows(bad, 2);
  EXPECT_THAT(clean.theta, ElementsAre(1, 7, 4, 7));
  EXPECT_THAT(clean.messages,
              ElementsAre(HasSubstr("1 of 3 rows hold nan or infinity")));
}

TEST(PairplotTest, WidensLimits) {
  const std::vector<double> sample = {0, 5, 10, 5}, point = {-10, 5};
  const std::vector<std::span<const double>> both = {sample, point};
  const std::vector<Range> limits = PlotLimits(both, 2);
  EXPECT_DOUBLE_EQ(limits[0].low, -12);
  EXPECT_DOUBLE_EQ(limits[0].high, 12);
  EXPECT_DOUBLE_EQ(limits[1].low, 4.5);
  EXPECT_DOUBLE_EQ(limits[1].high, 5.5);
}

TEST(PairplotTest, HistogramsCountEveryValue) {
  std::vector<double> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(i / 1000.0);
  const Histogram histogram = HistogramOf(values, {0, 1});
  // 2 * 0.5 * 1001^(-1/3) is just below a tenth.
  EXPECT_NEAR(histogram.width, std::pow(1001, -1.0 / 3), 1e-12);
  EXPECT_EQ(histogram.counts.size(), 11u);
  EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(),
                            int64_t{0}),
            1001);
  // Quartiles that are equal, and an outlier that asks for a billion bins.
  const std::vector<double> same(100, 3.0);
  EXPECT_THAT(HistogramOf(same, {2, 4}).counts, ElementsAre(100));
  values.push_back(1e9);
  const Histogram wide = HistogramOf(values, {0, 1e9});
  EXPECT_EQ(wide.counts.size(), 1000u);
  EXPECT_EQ(wide.counts.front(), 1001);
  EXPECT_EQ(wide.counts.back(), 1);
  EXPECT_THAT(HistogramOf({}, {0, 1}).counts, ElementsAre(0));
}

TEST(PairplotTest, KernelDensityIsTheSumOfItsKernels) {
  const std::vector<double> values = {0, 1, 3};
  const double sd = std::sqrt(7.0 / 3);
  const auto at = [&](double x, double factor) {
    double sum = 0;
    for (const double v : values) {
      sum += NormalDensity((x - v) / (factor * sd)) / (3 * factor * sd);
    }
    return sum;
  };
  const auto scott = KernelDensity(values, {-1, 4}, {}, 6);
  const auto silverman =
      KernelDensity(values, {-1, 4}, {.rule = Bandwidth::Rule::kSilverman}, 6);
  const auto own = KernelDensity(
      values, {-1, 4}, {.rule = Bandwidth::Rule::kFactor, .factor = 0.3}, 6);
  for (int k = 0; k < 6; ++k) {
    EXPECT_NEAR(scott[k], at(k - 1, std::pow(3, -0.2)), 1e-14);
    EXPECT_NEAR(silverman[k], at(k - 1, std::pow(9.0 / 4, -0.2)), 1e-14);
    EXPECT_NEAR(own[k], at(k - 1, 0.3), 1e-14);
  }
  EXPECT_THAT(KernelDensity(std::vector<double>(5, 2.0), {1, 3}, {}, 3),
              ElementsAre(0, 0, 0));
}

TEST(PairplotTest, PairsHaveTheirAxesRight) {
  // Dimension 2 is 0.9 of dimension 0 and noise; dimension 1 is not shown.
  std::vector<double> theta;
  RandomStream random(4, StreamPurpose::kExample, 0, 0);
  for (int i = 0; i < 5000; ++i) {
    const double a = StandardNormal(random);
    theta.insert(theta.end(),
                 {a, 99, 10 + 0.9 * a + 0.3 * StandardNormal(random)});
  }
  const std::vector<Range> limits = {{-5, 5}, {0, 1}, {5, 15}};
  const PlotGrid counts = HistogramOfPair(theta, 3, 0, 2, limits);
  EXPECT_EQ(std::accumulate(counts.values.begin(), counts.values.end(), 0.0),
            5000);
  const auto density = KernelDensityOfPair(theta, 3, 0, 2, limits);
  ASSERT_TRUE(density.has_value());
  double mass = 0, product = 0;
  for (size_t row = 0; row < 50; ++row) {
    for (size_t column = 0; column < 50; ++column) {
      const double cell = density->values[row * 50 + column] * 100 / 49 / 49;
      mass += cell;
      product += cell * (column * 10.0 / 49 - 5) * (row * 10.0 / 49 - 5);
    }
  }
  // Values 5 standard deviations off, and the grid's own error.
  EXPECT_NEAR(mass, 1, 1e-3);
  // The kernels widen the covariance by factor^2 of itself.
  EXPECT_NEAR(product, 0.9 * (1 + std::pow(5000, -1.0 / 3)), 0.07);
  EXPECT_FALSE(KernelDensityOfPair(theta, 3, 0, 1, limits).has_value());
  EXPECT_FALSE(KernelDensityOfPair(theta, 3, 0, 0, limits).has_value());
}

TEST(PairplotTest, ContoursAreHighestDensityRegions) {
  const PlotGrid grid{2, {0, 1}, {0, 1}, {0.6, 0.25, 0.15, 0}};
  const std::vector<double> levels = {0.5, 0.8, 0.9};
  EXPECT_THAT(ContourLevels(grid, levels), ElementsAre(0.5, 0.8, 0.9, 1));
  // In a normal distribution the region of 68 % ends at radius 1.51.
  PlotGrid normal{101, {-5, 5}, {-5, 5}, {}};
  for (int row = 0; row < 101; ++row) {
    for (int column = 0; column < 101; ++column) {
      const double a = column / 10.0 - 5, b = row / 10.0 - 5;
      normal.values.push_back(std::exp(-0.5 * (a * a + b * b)));
    }
  }
  const auto regions = ContourLevels(normal, std::vector<double>{0.68, 0.95});
  EXPECT_EQ(regions[50 * 101 + 64], 0.68);
  EXPECT_EQ(regions[50 * 101 + 66], 0.95);
  EXPECT_EQ(regions[76 * 101 + 50], 1);
}

LogDensityFunction Function(const MixtureDensity& density) {
  return [&density](std::span<const double> theta)
             -> absl::StatusOr<std::vector<double>> {
    std::vector<double> values(theta.size() / 3);
    density.LogDensity(theta, values);
    return values;
  };
}

std::vector<Range> Limits() {
  return {{-2e-12, 12e-12}, {-9, 7}, {-6e3, 10e3}};
}

TEST(ConditionalTest, CorrelationsAreThePartialOnes) {
  const MixtureDensity density = Example();
  const std::vector<double> conditions = {5e-12, -1, 2e3, 4e-12, -0.5, 1.5e3};
  const auto correlation =
      ConditionalCorrelation(Function(density), conditions, Limits());
  ASSERT_TRUE(correlation.ok()) << correlation.status();
  const Eigen::MatrixXd& p = density.mixture().precisions[0];
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      const double expected =
          i == j ? 1 : -p(i, j) / std::sqrt(p(i, i)) / std::sqrt(p(j, j));
      EXPECT_NEAR((*correlation)(i, j), expected, 1e-3) << i << " " << j;
    }
  }
  const auto subset = ConditionalCorrelation(
      Function(density), conditions, Limits(), std::vector<int>{2, 0}, 60);
  ASSERT_TRUE(subset.ok());
  EXPECT_EQ(subset->rows(), 2);
  EXPECT_NEAR((*subset)(0, 1), 0.5 / std::sqrt(2), 1e-3);
}

TEST(ConditionalTest, GridsAreSlices) {
  const MixtureDensity density = Example();
  const std::vector<double> at = {5e-12, -1, 2e3};
  const auto grid = ConditionalDensity(Function(density), at, Limits(), 0, 2,
                                       {.resolution = 5, .margin = 0});
  ASSERT_TRUE(grid.ok());
  ASSERT_EQ(grid->size(), 25u);
  // The middle is the mode.
  EXPECT_DOUBLE_EQ((*grid)[12], 1);
  // Row 1: dimension 2 at -2e3; column 3: dimension 0 at 8.5e-12.
  const double a = 3.5, c = -4;
  EXPECT_NEAR((*grid)[5 + 3] / std::exp(-0.5 * (2 * a * a - a * c + c * c)), 1,
              1e-9);
  const auto line =
      ConditionalDensity(Function(density), at, Limits(), 1, 1,
                         {.resolution = 3, .margin = 0, .logarithm = true});
  ASSERT_TRUE(line.ok());
  ASSERT_EQ(line->size(), 3u);
  EXPECT_NEAR((*line)[1] - (*line)[0], 0.5 * 1.5 * 64, 1e-9);
  const LogDensityFunction nothing = [](std::span<const double> theta) {
    return std::vector<double>(theta.size() / 3,
                               -std::numeric_limits<double>::infinity());
  };
  EXPECT_THAT(
      std::string(
          ConditionalDensity(nothing, at, Limits(), 0, 1).status().message()),
      HasSubstr("over parameters 0 and 1"));
}

}  // namespace
}  // namespace somafit
