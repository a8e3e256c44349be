#include "server/posterior/gaussian_mixture.h"

#include <cmath>
#include <functional>

#include <Eigen/LU>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/prior.h"

namespace somafit {
namespace {

// Correlated components of three dimensions.
GaussianMixture Example() {
  GaussianMixture mixture;
  mixture.log_weights = {std::log(0.2), std::log(0.5), std::log(0.3)};
  mixture.means = {Eigen::Vector3d(0, 1, -1), Eigen::Vector3d(1, -0.5, 0.3),
                   Eigen::Vector3d(-1, 0, 0.5)};
  for (int k = 0; k < 3; ++k) {
    Eigen::Matrix3d factor;
    factor << 1.2, 0.7 - 0.5 * k, -0.4, 0, 1 + 0.3 * k, 0.6, 0, 0, 0.8;
    mixture.precisions.push_back(factor.transpose() * factor);
  }
  return mixture;
}

double Density(const GaussianMixture& mixture, std::vector<double> at) {
  double log_density;
  MixtureDensity(mixture).LogDensity(at, {&log_density, 1});
  return std::exp(log_density);
}

// The trapezoidal rule is exact to rounding for smooth functions that vanish at
// both ends.
double Integral(const std::function<double(double)>& f) {
  double sum = 0;
  for (double x = -9; x <= 9; x += 0.05) sum += 0.05 * f(x);
  return sum;
}

TEST(GaussianMixtureTest, IntegratesToOneWithItsMoments) {
  const GaussianMixture mixture = MarginalOf(Example(), std::vector<int>{0, 1});
  const MixtureDensity density(mixture);
  double total = 0;
  Eigen::Vector2d mean(0, 0);
  Eigen::Matrix2d second = Eigen::Matrix2d::Zero();
  for (double a = -9; a <= 9; a += 0.1) {
    for (double b = -9; b <= 9; b += 0.1) {
      const std::vector<double> at = {a, b};
      double log_density;
      density.LogDensity(at, {&log_density, 1});
      const double mass = 0.01 * std::exp(log_density);
      total += mass;
      mean += mass * Eigen::Vector2d(a, b);
      second += mass * Eigen::Vector2d(a, b) * Eigen::RowVector2d(a, b);
    }
  }
  EXPECT_NEAR(total, 1, 1e-10);
  EXPECT_LT((mean - MeanOf(mixture)).norm(), 1e-9);
  EXPECT_LT((second - mean * mean.transpose() - CovarianceOf(mixture)).norm(),
            1e-8);
}

TEST(GaussianMixtureTest, MarginalIsTheIntegralOverTheOthers) {
  const GaussianMixture mixture = Example();
  const GaussianMixture marginal = MarginalOf(mixture, std::vector<int>{2, 0});
  for (const auto& [a, c] : {std::pair{0.3, -0.2}, {1.5, 0.8}, {-2.0, 1.0}}) {
    const double expected = Integral([&, a = a, c = c](double b) {
      return Density(mixture, {a, b, c});
    });
    EXPECT_NEAR(Density(marginal, {c, a}) / expected, 1, 1e-9);
  }
}

TEST(GaussianMixtureTest, ConditionalIsJointOverMarginal) {
  const GaussianMixture mixture = Example();
  for (const int fixed : {0, 1, 2}) {
    const std::vector<int> dims = {fixed};
    const std::vector<double> value = {0.7};
    const GaussianMixture marginal = MarginalOf(mixture, dims);
    const GaussianMixture conditional = ConditionedOn(mixture, dims, value);
    std::vector<double> joint = {0.1, -0.4, 0.9}, rest;
    joint[fixed] = value[0];
    for (int i = 0; i < 3; ++i) {
      if (i != fixed) rest.push_back(joint[i]);
    }
    EXPECT_NEAR(Density(conditional, rest) * Density(marginal, value),
                Density(mixture, joint), 1e-14);
  }
  // All but one, in another order.
  const GaussianMixture last = ConditionedOn(mixture, std::vector<int>{2, 0},
                                             std::vector<double>{0.5, -0.3});
  EXPECT_NEAR(Integral([&](double b) { return Density(last, {b}); }), 1, 1e-10);
  EXPECT_NEAR(
      Density(last, {0.2}) / Density(last, {-1}),
      Density(mixture, {-0.3, 0.2, 0.5}) / Density(mixture, {-0.3, -1, 0.5}),
      1e-9);
}

TEST(GaussianMixtureTest, GradientIsTheSlope) {
  const MixtureDensity density(Example());
  const std::vector<double> at = {0.4, -0.2, 0.6};
  std::vector<double> gradient(3);
  double value;
  density.LogDensity(at, {&value, 1}, gradient);
  for (int i = 0; i < 3; ++i) {
    std::vector<double> low = at, high = at;
    low[i] -= 1e-5, high[i] += 1e-5;
    double below, above;
    density.LogDensity(low, {&below, 1});
    density.LogDensity(high, {&above, 1});
    EXPECT_NEAR(gradient[i], (above - below) / 2e-5, 1e-8);
  }
}

TEST(GaussianMixtureTest, DrawsHaveItsMomentsWhateverTheBatch) {
  const GaussianMixture mixture = Example();
  const MixtureDensity density(mixture);
  constexpr int kDraws = 100'000;
  std::vector<double> draws(3 * kDraws), parts(3 * kDraws);
  density.Sample({1, 2}, 0, draws);
  density.Sample({1, 2}, 0, std::span(parts).first(30));
  density.Sample({1, 2}, 10, std::span(parts).subspan(30));
  EXPECT_EQ(draws, parts);
  const Eigen::Map<const Eigen::Matrix3Xd> rows(draws.data(), 3, kDraws);
  const Eigen::Vector3d mean = rows.rowwise().mean();
  const Eigen::Matrix3Xd off = rows.colwise() - mean;
  const Eigen::MatrixXd covariance = CovarianceOf(mixture);
  EXPECT_LT((mean - MeanOf(mixture)).norm(),
            5 * std::sqrt(covariance.trace() / kDraws));
  EXPECT_LT((off * off.transpose() / kDraws - covariance).norm(),
            5 * covariance.norm() * std::sqrt(2.0 / kDraws) * 2);
}

TEST(GaussianMixtureTest, RefusesWhatIsNone) {
  GaussianMixture mixture = Example();
  EXPECT_TRUE(CheckMixture(mixture).ok());
  mixture.log_weights[0] = 0;
  EXPECT_FALSE(CheckMixture(mixture).ok());
  mixture = Example();
  mixture.precisions[1](2, 2) = 0.01;
  EXPECT_FALSE(CheckMixture(mixture).ok());
  mixture = Example();
  mixture.means.pop_back();
  EXPECT_FALSE(CheckMixture(mixture).ok());
}

// theta ~ N(m0, S0), x | theta ~ N(theta, R), in units of 1e-9. What a
// perfectly trained estimate says after drawing from another normal proposal,
// divided by that proposal, is the exact posterior.
TEST(GaussianMixtureTest, CorrectionIsExactForANormalProposal) {
  constexpr double kUnit = 1e-9;
  Eigen::Matrix2d prior, proposal, noise;
  prior << 4, 1, 1, 2;
  proposal << 1, -0.3, -0.3, 0.5;
  noise << 0.3, 0.1, 0.1, 0.2;
  const Eigen::Vector2d prior_mean(10, -3), proposal_mean(11, -2),
      x(11.4, -2.5);
  const auto posterior = [&](const Eigen::Vector2d& mean,
                             const Eigen::Matrix2d& covariance) {
    const Eigen::Matrix2d p = covariance.inverse() + noise.inverse();
    return std::pair<Eigen::Vector2d, Eigen::Matrix2d>(
        p.inverse() * (covariance.inverse() * mean + noise.inverse() * x), p);
  };
  const auto mixture_of = [&](const Eigen::Vector2d& mean,
                              const Eigen::Matrix2d& precision) {
    Eigen::MatrixXd p = precision / (kUnit * kUnit);
    p(0, 1) = p(1, 0);
    return GaussianMixture{{0}, {mean * kUnit}, {p}};
  };
  const auto [estimate_mean, estimate_precision] =
      posterior(proposal_mean, proposal);
  const NormalForm normal{prior_mean * kUnit,
                          prior.inverse() / (kUnit * kUnit)};
  const auto corrected =
      DivideByProposal(mixture_of(estimate_mean, estimate_precision),
                       mixture_of(proposal_mean, proposal.inverse()), normal);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  EXPECT_TRUE(CheckMixture(*corrected).ok());
  const auto [mean, precision] = posterior(prior_mean, prior);
  EXPECT_LT((corrected->means[0] / kUnit - mean).norm(), 1e-12);
  EXPECT_LT((corrected->precisions[0] * kUnit * kUnit - precision).norm(),
            1e-11);
}

TEST(GaussianMixtureTest, CorrectionOfAMixtureIsTheQuotient) {
  const GaussianMixture estimate = Example();
  const GaussianMixture wide{{0},
                             {Eigen::Vector3d(0.1, 0.2, 0)},
                             {0.05 * Eigen::Matrix3d::Identity()}};
  const NormalForm flat{Eigen::Vector3d::Zero(), Eigen::Matrix3d::Zero()};
  const auto corrected = DivideByProposal(estimate, wide, flat);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  const auto ratio = [&](std::vector<double> at) {
    return Density(*corrected, at) * Density(wide, at) / Density(estimate, at);
  };
  EXPECT_NEAR(ratio({0, 0, 0}) / ratio({1, -1, 0.7}), 1, 1e-11);
  EXPECT_NEAR(ratio({0, 0, 0}) / ratio({-2, 0.3, 0.7}), 1, 1e-11);
}

TEST(GaussianMixtureTest, CorrectionRefusesAnEstimateWiderThanItsProposal) {
  const GaussianMixture estimate = Example();
  GaussianMixture narrow = {
      {0}, {Eigen::Vector3d(0, 0, 0)}, {50 * Eigen::Matrix3d::Identity()}};
  const NormalForm flat{Eigen::Vector3d::Zero(), Eigen::Matrix3d::Zero()};
  const auto corrected = DivideByProposal(estimate, narrow, flat);
  EXPECT_EQ(corrected.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(corrected.status().message()),
              testing::HasSubstr("simulate more"));
  // The same everywhere: the difference is 0 but for rounding.
  const GaussianMixture single{
      {0}, {estimate.means[0]}, {estimate.precisions[0]}};
  EXPECT_FALSE(DivideByProposal(single, single, flat).ok());
}

}  // namespace
}  // namespace somafit
