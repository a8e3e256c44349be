#include "server/posterior/calibration_kernel.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::HasSubstr;

CalibrationKernel Kernel(std::string_view name, double bandwidth) {
  return MakeCalibrationKernel(name, bandwidth).value();
}

// 0 .. 99 in the first column, always 7 in the second.
std::vector<double> Rows() {
  std::vector<double> x;
  for (int i = 0; i < 100; ++i) {
    x.push_back(1e-9 * i);
    x.push_back(7);
  }
  return x;
}
const double kSd = 1e-9 * std::sqrt((100.0 * 100.0 - 1) / 12);

TEST(CalibrationKernelTest, BoxCountsWhatIsNear) {
  const auto result = Calibrate(Kernel("box", 20.5e-9 / kSd), Rows(),
                                std::vector<double>{50e-9, 8}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_DOUBLE_EQ(result->effective_samples, 41);
  for (int i = 0; i < 100; ++i) {
    EXPECT_NEAR(result->weight[i], std::abs(i - 50) <= 20 ? 100.0 / 41 : 0,
                1e-12);
  }
  EXPECT_DOUBLE_EQ(result->largest, 100.0 / 41);
  EXPECT_TRUE(result->messages.empty());
}

TEST(CalibrationKernelTest, GaussianMultipliesTheAlgorithmsWeights) {
  std::vector<double> weights(100, 0.5);
  weights[60] = 3;
  const auto result = Calibrate(Kernel("gaussian", 0.5), Rows(),
                                std::vector<double>{50e-9, 7}, weights);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto k = [](int i) {
    const double z = 1e-9 * (i - 50) / (0.5 * kSd);
    return std::exp(-0.5 * z * z);
  };
  EXPECT_NEAR(result->weight[60] / result->weight[50], 6 * k(60), 1e-12);
  EXPECT_NEAR(result->weight[10] / result->weight[50], k(10), 1e-12);
  EXPECT_NEAR(
      std::accumulate(result->weight.begin(), result->weight.end(), 0.0), 100,
      1e-9);
}

TEST(CalibrationKernelTest, RowsWithoutNumbersHaveNoWeight) {
  std::vector<double> x = Rows();
  x[2 * 50] = std::numeric_limits<double>::quiet_NaN();
  x[2 * 51 + 1] = std::numeric_limits<double>::infinity();
  const auto result =
      Calibrate(Kernel("gaussian", 2), x, std::vector<double>{50e-9, 7}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->weight[50], 0);
  EXPECT_EQ(result->weight[51], 0);
  EXPECT_GT(result->weight[52], 1);
}

TEST(CalibrationKernelTest, TellsWhereLittleIsLeft) {
  const auto none =
      Calibrate(Kernel("box", 0.1), Rows(), std::vector<double>{1, 7}, {});
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.status().message()),
              HasSubstr("leaves 0 effective simulations of 100, and 30"));
  EXPECT_FALSE(Calibrate(Kernel("gaussian", 0.1), Rows(),
                         std::vector<double>{50e-9, 7}, {})
                   .ok());
  std::vector<double> many(1000);
  for (int i = 0; i < 1000; ++i) many[i] = i;
  const auto few =
      Calibrate(Kernel("box", 40 / 288.7), many, std::vector<double>{500}, {});
  ASSERT_TRUE(few.ok()) << few.status();
  ASSERT_EQ(few->messages.size(), 1u);
  EXPECT_THAT(few->messages[0], HasSubstr("effective simulations of 1000"));
}

TEST(CalibrationKernelTest, RefusesWhatIsNoKernel) {
  EXPECT_EQ(Kernel("", 0).kind, CalibrationKernel::Kind::kNone);
  EXPECT_EQ(Kernel("box", 1).kind, CalibrationKernel::Kind::kBox);
  const auto message = [](std::string_view name, double bandwidth) {
    return std::string(
        MakeCalibrationKernel(name, bandwidth).status().message());
  };
  EXPECT_THAT(message("cosine", 1),
              HasSubstr("no calibration_kernel \"cosine\""));
  EXPECT_THAT(message("gaussian", 0), HasSubstr("must be above 0"));
  EXPECT_THAT(message("gaussian", NAN), HasSubstr("must be above 0"));
  EXPECT_THAT(message("box", -1), HasSubstr("calibration_bandwidth is -1"));
  EXPECT_THAT(message("", 0.5), HasSubstr("there is no calibration_kernel"));
}

}  // namespace
}  // namespace somafit
