#include "server/posterior/posterior.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/map_estimate.h"
#include "server/posterior/normal.h"
#include "tests/support/linear_gaussian.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::shared_ptr<const Prior> Box(double lower, double upper, size_t d = 2) {
  return MakeBoxPrior(std::vector<Support>(d, {lower, upper}));
}

std::shared_ptr<const DensityEstimator> Gaussian(std::vector<double> sigma) {
  return std::make_shared<LinearGaussianEstimator>(std::move(sigma));
}

std::unique_ptr<const Posterior> Make(std::vector<EnsembleMember> members,
                                      std::shared_ptr<const Prior> prior) {
  auto posterior = Posterior::Make(std::move(members), std::move(prior));
  EXPECT_TRUE(posterior.ok()) << posterior.status();
  return *std::move(posterior);
}

// Sigma 0.5 and 0.8 around x, in the box 0..2.
std::unique_ptr<const Posterior> Leaky() {
  return Make({{Gaussian({0.5, 0.8})}}, Box(0, 2));
}
const std::vector<double> kX = {0.2, 1.1};

double Inside(double x, double sigma) {
  return NormalCdf((2 - x) / sigma) - NormalCdf(-x / sigma);
}

TEST(PosteriorTest, LogDensityIntegratesToOneInsideThePrior) {
  const auto posterior = Leaky();
  std::vector<double> grid;
  constexpr int kN = 200;
  for (int i = 0; i < kN; ++i) {
    for (int j = 0; j < kN; ++j) {
      grid.push_back((i + 0.5) * 2 / kN);
      grid.push_back((j + 0.5) * 2 / kN);
    }
  }
  const auto log_density = posterior->LogDensity(grid, kX);
  ASSERT_TRUE(log_density.ok());
  double sum = 0;
  for (const double one : *log_density) sum += std::exp(one) * 4 / kN / kN;
  const auto leakage = posterior->LeakageAt(kX);
  ASSERT_TRUE(leakage.ok());
  EXPECT_NEAR(sum, 1, 5 * (*leakage)[0].log_error);
  EXPECT_LT((*leakage)[0].log_error, 0.01);
  EXPECT_NEAR((*leakage)[0].inside.value, Inside(0.2, 0.5) * Inside(1.1, 0.8),
              5 * (*leakage)[0].inside.error);
  const std::vector<double> outside = {-0.1, 1};
  EXPECT_EQ(posterior->LogDensity(outside, kX)->at(0), -kInf);
  EXPECT_EQ(posterior->Potential(outside, kX)->at(0), -kInf);
}

TEST(PosteriorTest, DrawsLieInsideAndDoNotDependOnBatches) {
  const auto posterior = Leaky();
  const auto draw = [&](int64_t n, int64_t batch) {
    auto draws = posterior->Sample(
        kX, {.n = n, .key = {9, 4}, .limits = {.batch = batch}});
    EXPECT_TRUE(draws.ok());
    return *std::move(draws);
  };
  const Draws all = draw(5000, 10'000);
  EXPECT_EQ(all.end, DrawEnd::kComplete);
  ASSERT_EQ(all.theta.size(), 10'000u);
  for (const double one : all.theta) {
    ASSERT_GE(one, 0);
    ASSERT_LT(one, 2);
  }
  for (const int64_t batch : {1, 7, 999}) {
    const Draws other = draw(5000, batch);
    EXPECT_EQ(other.theta, all.theta) << batch;
    EXPECT_EQ(other.log_density, all.log_density);
    EXPECT_EQ(other.acceptance.tries, all.acceptance.tries);
  }
  const Draws few = draw(70, 64);
  EXPECT_TRUE(
      std::equal(few.theta.begin(), few.theta.end(), all.theta.begin()));
  EXPECT_NEAR(all.acceptance.value, Inside(0.2, 0.5) * Inside(1.1, 0.8),
              5 * all.acceptance.error);
  EXPECT_NEAR(all.acceptance.error, 0.006, 0.001);
  EXPECT_EQ(all.log_density, *posterior->Potential(all.theta, kX));
}

TEST(PosteriorTest, GivesWhatItHasWhereALimitComesFirst) {
  // One in 3000 candidates lies inside.
  const auto posterior = Make({{Gaussian({1})}}, Box(3.4, 9, 1));
  const std::vector<double> x = {0};
  const auto limited = posterior->Sample(
      x, {.n = 1000, .key = {1, 1}, .limits = {.max_candidates = 20'000}});
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->end, DrawEnd::kMaxCandidates);
  EXPECT_EQ(limited->acceptance.tries, 20'000);
  EXPECT_EQ(static_cast<int64_t>(limited->log_density.size()),
            limited->acceptance.hits);
  EXPECT_NEAR(limited->acceptance.value, NormalCdf(-3.4),
              5 * limited->acceptance.error);
  ASSERT_EQ(limited->messages.size(), 2u);
  EXPECT_THAT(limited->messages[0], HasSubstr("of 1000 draws after 20000"));
  EXPECT_THAT(limited->messages[1], HasSubstr("% of the candidates"));

  int asked = 0;
  const auto stopped = posterior->Sample(
      x, {.n = 1000,
          .key = {1, 1},
          .limits = {.stop = [&] { return ++asked > 3; }, .batch = 5000}});
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->end, DrawEnd::kStopped);
  EXPECT_EQ(asked, 4);
  EXPECT_GT(stopped->acceptance.tries, 0);
  EXPECT_TRUE(std::equal(stopped->theta.begin(), stopped->theta.end(),
                         limited->theta.begin()));
}

TEST(PosteriorTest, RawDrawsMayLieOutside) {
  const auto posterior = Leaky();
  const auto draws = posterior->Sample(
      kX, {.n = 2000, .key = {2, 0}, .reject_outside_prior = false});
  ASSERT_TRUE(draws.ok());
  EXPECT_EQ(draws->acceptance.tries, 2000);
  ASSERT_EQ(draws->messages.size(), 1u);
  EXPECT_THAT(draws->messages[0], HasSubstr("reject_outside_prior"));
}

TEST(PosteriorTest, EnsembleIsTheWeightedSumOfItsMembers) {
  const auto prior = Box(0, 2, 1);
  const auto narrow = Gaussian({0.1}), wide = Gaussian({2});
  const auto posterior = Make({{narrow, 3}, {wide, 1}}, prior);
  const auto one = Make({{narrow}}, prior), other = Make({{wide}}, prior);
  const std::vector<double> x = {0.05};
  const std::vector<double> theta = {0.01, 0.3, 1.9, 2.5};
  const auto mixed = posterior->LogDensity(theta, x);
  const auto a = one->LogDensity(theta, x), b = other->LogDensity(theta, x);
  ASSERT_TRUE(mixed.ok());
  for (int i = 0; i < 3; ++i) {
    // Estimates of Z by different draws.
    EXPECT_NEAR((*mixed)[i],
                std::log(0.75 * std::exp((*a)[i]) + 0.25 * std::exp((*b)[i])),
                0.1);
  }
  EXPECT_EQ((*mixed)[3], -kInf);
  const auto draws = posterior->Sample(x, {.n = 8000, .key = {3, 3}});
  ASSERT_TRUE(draws.ok());
  int64_t far = 0;
  for (const double t : draws->theta) far += t > 0.6;
  const double share =
      0.25 * (NormalCdf((2 - 0.05) / 2) - NormalCdf((0.6 - 0.05) / 2)) /
      (NormalCdf((2 - 0.05) / 2) - NormalCdf(-0.05 / 2));
  EXPECT_NEAR(static_cast<double>(far) / 8000, share,
              5 * std::sqrt(share / 8000));
  EXPECT_EQ(draws->log_density, *posterior->LogDensity(draws->theta, x));
  const auto again =
      posterior->Sample(x, {.n = 5000, .key = {3, 3}, .limits = {.batch = 33}});
  EXPECT_TRUE(std::equal(again->theta.begin(), again->theta.end(),
                         draws->theta.begin()));
  // The gradient is that of the sum.
  std::vector<double> at = {0.2}, gradient(1), value(1);
  ASSERT_TRUE(posterior->PotentialGradient(at, x, value, gradient).ok());
  const std::vector<double> around = {0.2 - 1e-5, 0.2 + 1e-5};
  const auto beside = posterior->Potential(around, x);
  EXPECT_NEAR(gradient[0], ((*beside)[1] - (*beside)[0]) / 2e-5, 1e-6);
}

TEST(PosteriorTest, KeepsLeakageByObservation) {
  const auto posterior = Leaky();
  const std::vector<double> corner = {-0.5, -0.8};
  const std::vector<double> theta = {0.1, 0.1};
  const double before = posterior->LogDensity(theta, kX)->at(0);
  const double other = posterior->LogDensity(theta, corner)->at(0);
  EXPECT_EQ(posterior->LogDensity(theta, kX)->at(0), before);
  EXPECT_NEAR(other - posterior->Potential(theta, corner)->at(0),
              -2 * std::log(NormalCdf(-1)), 0.15);
  const std::vector<double> both = {0.2, 1.1, -0.5, -0.8};
  const std::vector<double> twice = {0.1, 0.1, 0.1, 0.1};
  const auto pairs = posterior->LogDensityOfPairs(twice, both);
  ASSERT_TRUE(pairs.ok());
  EXPECT_NEAR((*pairs)[0], before, 1e-12);
  EXPECT_NEAR((*pairs)[1], other, 1e-12);
  // A posterior that has nothing inside.
  const auto nowhere = posterior->LeakageAt(std::vector<double>{90, 90});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PosteriorTest, SamplesManyObservations) {
  const auto posterior = Leaky();
  const std::vector<double> xs = {0.2, 1.1, 1.8, 0.1};
  const auto all = posterior->SampleBatched(xs, {.n = 3000, .key = {4, 0}});
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2u);
  double sum = 0;
  for (size_t i = 0; i < 6000; i += 2) sum += (*all)[1].theta[i];
  // The mean of N(1.8, 0.5) between 0 and 2.
  const double a = -1.8 / 0.5, b = 0.2 / 0.5;
  EXPECT_NEAR(sum / 3000,
              1.8 + 0.5 * (NormalDensity(a) - NormalDensity(b)) /
                        (NormalCdf(b) - NormalCdf(a)),
              5 * 0.4 / std::sqrt(3000));
  std::vector<double> bad = xs;
  bad[3] = NAN;
  const auto refused = posterior->SampleBatched(bad, {.n = 1});
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("observation 1: an observation must be finite numbers, "
                        "but number 1 is nan"));
}

TEST(PosteriorTest, RefusesWhatDoesNotFit) {
  const auto posterior = Leaky();
  const std::vector<double> one = {1}, bad = {NAN, kInf};
  EXPECT_THAT(std::string(posterior->CheckObservation(one).message()),
              HasSubstr("has 1 numbers, but the estimator was trained on 2"));
  EXPECT_THAT(std::string(posterior->CheckObservation(bad).message()),
              HasSubstr("number 0 is nan, number 1 is inf"));
  EXPECT_FALSE(posterior->Sample(one, {.n = 1}).ok());
  EXPECT_FALSE(Posterior::Make({}, Box(0, 1)).ok());
  const auto mismatch = Posterior::Make(
      {{Gaussian({1, 1}), 0}, {Gaussian({1}), 1}}, Box(0, 1, 3));
  const std::string message(mismatch.status().message());
  EXPECT_THAT(message, HasSubstr("weight 0 of the ensemble is 0"));
  EXPECT_THAT(message, HasSubstr("2 parameters and the prior 3"));
  EXPECT_THAT(message,
              HasSubstr("estimator 1 was trained on observations of 1"));
}

TEST(MapTest, FindsTheModeOfTheta) {
  const auto posterior = Leaky();
  for (const auto start :
       {MapOptions::Start::kPosterior, MapOptions::Start::kPrior}) {
    const auto map = FindMap(*posterior, kX, {.start = start, .key = {1, 1}});
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_TRUE(map->converged);
    // In theta, not in the logits that are searched.
    EXPECT_NEAR(map->theta[0], 0.2, 1e-5);
    EXPECT_NEAR(map->theta[1], 1.1, 1e-5);
    EXPECT_EQ(map->at_bound, (std::vector<bool>{false, false}));
    EXPECT_NEAR(map->potential,
                -std::log(2 * M_PI) - std::log(0.5) - std::log(0.8), 1e-9);
  }
}

TEST(MapTest, TellsOfAModeAtABound) {
  const auto posterior = Leaky();
  const auto map = FindMap(*posterior, std::vector<double>{-0.3, 1.1});
  ASSERT_TRUE(map.ok());
  EXPECT_NEAR(map->theta[0], 0, 1e-3);
  EXPECT_GE(map->theta[0], 0);
  EXPECT_NEAR(map->theta[1], 1.1, 1e-3);
}

TEST(MapTest, FindsTheHigherOfTwoModes) {
  GaussianMixture mixture{
      {std::log(0.6), std::log(0.4)},
      {Eigen::Vector2d(0.5, 0.5), Eigen::Vector2d(1.5, 1.5)},
      {25 * Eigen::Matrix2d::Identity(), 100 * Eigen::Matrix2d::Identity()}};
  const auto posterior = Make({{MakeMixtureEstimator(mixture, 1)}}, Box(0, 2));
  const std::vector<double> x = {0};
  const auto map = FindMap(*posterior, x);
  ASSERT_TRUE(map.ok());
  EXPECT_NEAR(map->theta[0], 1.5, 1e-4);
  // From given points only the nearer one.
  const auto local = FindMap(
      *posterior, x,
      {.start = MapOptions::Start::kPoints, .points = {0.4, 0.7, 5, 5}});
  ASSERT_TRUE(local.ok());
  EXPECT_NEAR(local->theta[0], 0.5, 1e-4);
  EXPECT_FALSE(FindMap(*posterior, x,
                       {.start = MapOptions::Start::kPoints, .points = {5, 5}})
                   .ok());
  EXPECT_FALSE(FindMap(*posterior, x,
                       {.start = MapOptions::Start::kPoints, .points = {0.5}})
                   .ok());
}

}  // namespace
}  // namespace somafit
