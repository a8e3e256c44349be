#include "server/posterior/importance_weights.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/normal.h"
#include "tests/support/linear_gaussian.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(ImportanceWeightsTest, AreTheBalanceHeuristic) {
  // Densities 1 and 4 under two rounds of 3 and 1 simulations.
  const std::vector<double> log_prior(4, 0.0);
  const std::vector<double> log_proposals = {0, std::log(4), 0, std::log(4),
                                             0, -kInf,       0, -kInf};
  const std::vector<int64_t> n = {3, 1};
  const auto weights = BalanceWeights(log_prior, log_proposals, n);
  ASSERT_TRUE(weights.ok()) << weights.status();
  // Mixtures: 0.75 + 1 and 0.75.
  const double low = 1 / 1.75, high = 1 / 0.75;
  const double mean = (low + high) / 2;
  EXPECT_NEAR(weights->weight[0], low / mean, 1e-14);
  EXPECT_NEAR(weights->weight[3], high / mean, 1e-14);
  EXPECT_NEAR(weights->largest, high / mean, 1e-14);
  EXPECT_NEAR(weights->effective_samples,
              4 * mean * mean * 2 / (low * low + high * high), 1e-12);
  EXPECT_TRUE(weights->messages.empty());
  // Without the prior's round the other one is the whole mixture.
  const std::vector<int64_t> discarded = {0, 2};
  const auto later =
      BalanceWeights(std::span(log_prior).first(2),
                     std::span(log_proposals).first(4), discarded);
  ASSERT_TRUE(later.ok());
  EXPECT_EQ(later->weight, (std::vector<double>{1, 1}));
}

TEST(ImportanceWeightsTest, ChecksDensities) {
  const std::vector<int64_t> n = {1, 1};
  const auto weigh = [&](std::vector<double> log_prior,
                         std::vector<double> log_proposals) {
    return BalanceWeights(log_prior, log_proposals, n);
  };
  const auto outside = weigh({-kInf, 0}, {-kInf, -kInf, 0, 0});
  ASSERT_TRUE(outside.ok());
  EXPECT_EQ(outside->weight, (std::vector<double>{0, 2}));
  EXPECT_THAT(
      std::string(weigh({0, 0}, {0, 0, -kInf, -kInf}).status().message()),
      HasSubstr("can have drawn simulation 1"));
  EXPECT_THAT(std::string(weigh({0, 0}, {0, 0, 0, NAN}).status().message()),
              HasSubstr("round 1's proposal at simulation 1 is nan"));
  EXPECT_FALSE(weigh({0, 0}, {0, kInf, 0, 0}).ok());
  EXPECT_FALSE(weigh({0, NAN}, {0, 0, 0, 0}).ok());
  EXPECT_FALSE(weigh({-kInf, -kInf}, {0, 0, 0, 0}).ok());
  EXPECT_FALSE(BalanceWeights({}, {}, std::vector<int64_t>{0}).ok());
  EXPECT_FALSE(BalanceWeights(std::vector<double>{0}, std::vector<double>{0},
                              std::vector<int64_t>{1}, {.largest = 0.5})
                   .ok());
}

TEST(ImportanceWeightsTest, WarnsOfFewEffectiveAndTruncates) {
  std::vector<double> log_prior(100, 0), log_proposals(100, 0);
  log_prior[7] = std::log(1000);
  const std::vector<int64_t> n = {100};
  const auto weights = BalanceWeights(log_prior, log_proposals, n);
  ASSERT_TRUE(weights.ok());
  EXPECT_NEAR(weights->effective_samples, 1099.0 * 1099 / (1e6 + 99), 1e-9);
  ASSERT_EQ(weights->messages.size(), 1u);
  EXPECT_THAT(weights->messages[0], HasSubstr("worth 1.21 equal ones"));
  const auto limited =
      BalanceWeights(log_prior, log_proposals, n, {.largest = 5});
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->n_truncated, 1);
  EXPECT_NEAR(limited->largest, 5, 1e-12);
  EXPECT_NEAR(
      std::accumulate(limited->weight.begin(), limited->weight.end(), 0.0), 100,
      1e-10);
  const auto unlimited =
      BalanceWeights(log_prior, log_proposals, n, {.largest = 99.5});
  EXPECT_EQ(unlimited->n_truncated, 0);
}

// theta ~ N(0, 2^2), x ~ N(theta, 1). Simulations from the prior and from a
// proposal that is off; regression of theta on x, weighted, must give the
// posterior's mean 0.8 x and variance 0.8.
TEST(ImportanceWeightsTest, RecoverThePosteriorFromABiasedProposal) {
  const MarginalSpec spec{"a", "normal", {{"mean", 0}, {"sigma", 2}}};
  std::shared_ptr<const Prior> prior = MakePrior({&spec, 1}).value();
  std::shared_ptr<const Posterior> posterior =
      Posterior::Make({{std::make_shared<LinearGaussianEstimator>(
                          std::vector<double>{0.7})}},
                      prior)
          .value();
  const auto first = MakePriorProposal(prior);
  const auto second = MakePosteriorProposal(posterior, {2.5});
  ASSERT_TRUE(second.ok());
  constexpr int kN = 40'000;
  std::vector<double> theta = first->Sample(kN, {1, 0}, {})->theta;
  const auto more = (*second)->Sample(kN, {1, 1}, {});
  theta.insert(theta.end(), more->theta.begin(), more->theta.end());
  const std::vector<UsedRound> rounds = {{kN, first.get()},
                                         {kN, second->get()}};
  const auto weights = WeightsOfRounds(theta, *prior, rounds);
  ASSERT_TRUE(weights.ok()) << weights.status();
  // w <= 1/alpha_0 = 2 before it is normalized, and E w = 1.
  EXPECT_LT(weights->largest, 2.1);
  const auto regress = [&](bool weighted) {
    double w = 0, x1 = 0, t1 = 0, xx = 0, xt = 0, tt = 0;
    RandomStream random(9, StreamPurpose::kExample, 0, 0);
    for (size_t i = 0; i < theta.size(); ++i) {
      const double x = theta[i] + StandardNormal(random);
      const double one = weighted ? weights->weight[i] : 1;
      w += one, x1 += one * x, t1 += one * theta[i];
      xx += one * x * x, xt += one * x * theta[i];
      tt += one * theta[i] * theta[i];
    }
    const double slope = (xt - x1 * t1 / w) / (xx - x1 * x1 / w);
    const double offset = (t1 - slope * x1) / w;
    const double variance = (tt - offset * t1 - slope * xt) / w;
    return std::array<double, 3>{slope, offset, variance};
  };
  const auto good = regress(true), biased = regress(false);
  EXPECT_NEAR(good[0], 0.8, 0.01);
  EXPECT_NEAR(good[1], 0, 0.02);
  EXPECT_NEAR(good[2], 0.8, 0.02);
  EXPECT_GT(std::fabs(biased[1]), 0.1);
}

}  // namespace
}  // namespace somafit
