#include "server/posterior/unconstrained.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::unique_ptr<const Prior> FourKinds() {
  const std::vector<MarginalSpec> specs = {
      {"interval", "uniform", {{"lower", -1e-9}, {"upper", 4e-9}}},
      {"above", "log_normal", {{"median", 1e-12}, {"sigma_log", 1}}},
      {"below", "normal", {{"mean", 0}, {"sigma", 2}, {"upper", 1}}},
      {"unbounded", "normal", {{"mean", -0.07}, {"sigma", 0.01}}}};
  auto prior = MakePrior(specs);
  EXPECT_TRUE(prior.ok());
  return *std::move(prior);
}

TEST(UnconstrainedTest, GoesThereAndBack) {
  const auto prior = FourKinds();
  const UnconstrainedMap map(*prior);
  const std::vector<double> sd = prior->standard_deviation();
  std::vector<double> theta(4), u(4), again(4);
  for (uint32_t i = 0; i < 500; ++i) {
    RandomStream random(3, StreamPurpose::kPrior, 0, i);
    prior->Sample(random, theta);
    map.ToUnconstrained(theta, u);
    map.FromUnconstrained(u, again);
    for (int k = 0; k < 4; ++k) {
      EXPECT_NEAR(again[k], theta[k], 1e-14 * (sd[k] + std::fabs(theta[k])));
      EXPECT_LT(std::fabs(u[k]), 40);
    }
  }
}

TEST(UnconstrainedTest, JacobianIsTheSlope) {
  const auto prior = FourKinds();
  const UnconstrainedMap map(*prior);
  std::vector<double> slope(4), low(4), high(4);
  for (const double at : {-12.0, -3.0, -0.1, 0.0, 0.4, 2.0, 9.0}) {
    const std::vector<double> u(4, at);
    map.Derivative(u, slope);
    double log_product = 0;
    for (int k = 0; k < 4; ++k) {
      std::vector<double> below = u, above = u;
      below[k] -= 1e-4;
      above[k] += 1e-4;
      map.FromUnconstrained(below, low);
      map.FromUnconstrained(above, high);
      const double digits =
          1e-15 * std::max(std::fabs(low[k]), std::fabs(high[k])) / 1e-4;
      EXPECT_NEAR((high[k] - low[k]) / 2e-4, slope[k],
                  1e-7 * slope[k] + 2 * digits)
          << "axis " << k << " at " << at;
      log_product += std::log(slope[k]);
    }
    EXPECT_NEAR(map.LogJacobian(u), log_product, 1e-12);
  }
}

TEST(UnconstrainedTest, StaysInsideAtTheEdges) {
  const auto prior = FourKinds();
  const UnconstrainedMap map(*prior);
  std::vector<double> theta(4), u(4);
  for (const double far : {30.0, 800.0, 1e300, kInf}) {
    for (const double sign : {-1.0, 1.0}) {
      map.FromUnconstrained(std::vector<double>(4, sign * far), theta);
      for (int k = 0; k < 3; ++k) {
        EXPECT_GT(theta[k], prior->support()[k].lower) << k << " " << far;
        EXPECT_LT(theta[k], prior->support()[k].upper) << k << " " << far;
      }
    }
  }
  // On the bounds themselves.
  map.ToUnconstrained(std::vector<double>{-1e-9, 0, 1, 0}, u);
  for (const double one : u) EXPECT_TRUE(std::isfinite(one));
  map.ToUnconstrained(std::vector<double>{4e-9, 1e300, -1e300, 0}, u);
  for (const double one : u) EXPECT_TRUE(std::isfinite(one));
  EXPECT_FALSE(std::isnan(map.LogJacobian(std::vector<double>(4, 1e308))));
}

}  // namespace
}  // namespace somafit
