#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

MetricConfig Config(double t_start = 0, double normalization = 1,
                    std::vector<double> weights = {}) {
  return {{{"t_start", t_start}, {"normalization", normalization}},
          std::move(weights),
          1e-3};
}

// The error of one lane.
double Error(const MetricConfig& config, const std::vector<double>& simulated,
             const std::vector<double>& target) {
  const auto metric = FindMetric("mse")->make(config);
  const auto accumulator = metric->Start(target, 1);
  for (size_t k = 0; k < simulated.size(); ++k) {
    accumulator->Observe(k, {&simulated[k], 1});
  }
  double error = -1;
  accumulator->Finish({&error, 1});
  return error;
}

// Language, F03.
TEST(MseTest, AveragesOverTheStepsThatCount) {
  const std::vector<double> y = {0, 1, 1};
  const std::vector<double> d = {0, 1, 2};
  EXPECT_DOUBLE_EQ(Error(Config(), y, d), 1.0 / 3);
  EXPECT_DOUBLE_EQ(Error(Config(1e-3), y, d), 0.5);
  EXPECT_DOUBLE_EQ(Error(Config(0, 1, {0, 1, 1}), y, d), 0.5);
  EXPECT_DOUBLE_EQ(Error(Config(0, 1, {0, 2, 6}), y, d), 0.75);
}

TEST(MseTest, OnlyRatiosOfWeightsMatter) {
  const std::vector<double> y = {0, 1, 1};
  const std::vector<double> d = {0, 1, 2};
  for (const double scale : {1e308, 1e-308, 4e-320}) {
    EXPECT_DOUBLE_EQ(Error(Config(0, 1, {scale, scale, scale}), y, d), 1.0 / 3)
        << scale;
  }
}

TEST(MseTest, RoundsTheStartHalfToEven) {
  const std::vector<double> y = {1, 0, 0, 0};
  const std::vector<double> d = {0, 0, 0, 0};
  EXPECT_DOUBLE_EQ(Error(Config(0.5e-3), y, d), 0.25);  // 0.5 -> 0
  EXPECT_DOUBLE_EQ(Error(Config(0.51e-3), y, d), 0);
  const std::vector<double> z = {0, 1, 0, 0};
  EXPECT_DOUBLE_EQ(Error(Config(1.5e-3), z, d), 0);  // 1.5 -> 2
}

TEST(MseTest, MasksMissingTargets) {
  const std::vector<double> y = {1, 1, 1};
  EXPECT_DOUBLE_EQ(Error(Config(), y, {0, kNaN, 3}), 2.5);
  EXPECT_DOUBLE_EQ(Error(Config(0, 1, {1, 5, 3}), y, {0, kNaN, 3}), 13.0 / 4);
  EXPECT_TRUE(std::isnan(Error(Config(), y, {kNaN, kNaN, kNaN})));
  EXPECT_TRUE(std::isnan(Error(Config(), {1, kNaN, 1}, {0, 0, 0})));
  EXPECT_EQ(Error(Config(0, 1, {1, 0, 1}), {1, kNaN, 1}, {0, 0, 0}), 1);
}

TEST(MseTest, NormalizesByTheSquare) {
  const auto metric = FindMetric("mse")->make(Config(0, 0.5));
  EXPECT_DOUBLE_EQ(metric->Normalize(1.0 / 3), 4.0 / 3);
}

TEST(MseTest, CountsSteps) {
  const std::vector<double> target = {0, kNaN, 2, 3};
  const auto make = FindMetric("mse")->make;
  EXPECT_EQ(make(Config())->CountedSteps(target), 3u);
  EXPECT_EQ(make(Config(2e-3))->CountedSteps(target), 2u);
  EXPECT_EQ(make(Config(0, 1, {1, 1, 0, 0}))->CountedSteps(target), 1u);
  EXPECT_EQ(make(Config(9e-3))->CountedSteps(target), 0u);
}

TEST(MseTest, HasTheSquaredDimension) {
  const Dimension volt({2, 1, -3, -1, 0, 0, 0});
  EXPECT_EQ(FindMetric("mse")->error_dimension(volt), volt * volt);
}

TEST(MseTest, KeepsLanesApart) {
  const auto metric = FindMetric("mse")->make(Config());
  const std::vector<double> target = {1, 2};
  const auto accumulator = metric->Start(target, 3);
  accumulator->Observe(0, std::vector<double>{1, 2, kNaN});
  accumulator->Observe(1, std::vector<double>{2, 2, 2});
  std::vector<double> errors(3);
  accumulator->Finish(errors);
  EXPECT_EQ(errors[0], 0);
  EXPECT_EQ(errors[1], 0.5);
  EXPECT_TRUE(std::isnan(errors[2]));
}

TEST(ValidateMetricConfigTest, SaysWhatIsWrong) {
  struct Case {
    MetricConfig config;
    const char* message;  // "" for valid
  };
  for (const Case& c : std::vector<Case>{
           {Config(), ""},
           {Config(2e-3), ""},
           {Config(2.6e-3), "beyond"},
           {Config(1e300), "beyond"},
           {Config(0, 1, {1, 0, 1}), ""},
           {Config(1e-3, 1, {1, 1, 1}), "both"},
           {Config(0, 1, {1, 1}), "has 2 numbers"},
           {Config(0, 1, {1, -1, 1}), "-1 at step 1"},
           {Config(0, 1, {1, kNaN, 1}), "nan at step 1"},
           {Config(0, 1, {0, 0, 0}), "0 at every step"},
       }) {
    const absl::Status status = ValidateMetricConfig(c.config, 3);
    EXPECT_EQ(status.ok(), *c.message == '\0') << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(c.message));
  }
}

TEST(MetricCatalogueTest, FindsItsMembersByName) {
  for (const MetricEntry* entry : AllMetrics()) {
    EXPECT_EQ(FindMetric(entry->name), entry);
  }
  EXPECT_EQ(FindMetric("none"), nullptr);
}

}  // namespace
}  // namespace somafit
