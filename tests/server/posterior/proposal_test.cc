#include "server/posterior/proposal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/normal.h"
#include "server/posterior/rejection.h"
#include "tests/support/linear_gaussian.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::shared_ptr<const Prior> Box(double lower, double upper, size_t d) {
  return MakeBoxPrior(std::vector<Support>(d, {lower, upper}));
}

std::shared_ptr<const Posterior> Around(double sigma,
                                        std::shared_ptr<const Prior> prior) {
  auto posterior =
      Posterior::Make({{std::make_shared<LinearGaussianEstimator>(
                          std::vector<double>(prior->size(), sigma))}},
                      prior);
  EXPECT_TRUE(posterior.ok()) << posterior.status();
  return *std::move(posterior);
}

// For draws of a proposal that is the box's prior on a disc: the squared radius
// must be uniform.
void ExpectUniformOnDisc(const Draws& draws, double radius) {
  const size_t n = draws.log_density.size();
  double sum = 0, squares = 0;
  int quadrant[4] = {};
  for (size_t i = 0; i < n; ++i) {
    const double a = draws.theta[2 * i], b = draws.theta[2 * i + 1];
    const double share = (a * a + b * b) / (radius * radius);
    ASSERT_LE(share, 1.01);
    sum += share;
    squares += (share - 0.5) * (share - 0.5);
    ++quadrant[(a > 0) + 2 * (b > 0)];
  }
  const auto count = static_cast<double>(n);
  EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1 / (12 * count)) + 0.005);
  EXPECT_NEAR(squares / count, 1 / 12.0,
              5 * std::sqrt(1 / (180 * count)) + 0.002);
  for (const int one : quadrant) {
    EXPECT_NEAR(one / count, 0.25, 5 * std::sqrt(3 / (16 * count)));
  }
}

// The squared radius that holds all but epsilon of a normal distribution in two
// dimensions.
double Radius(double epsilon) { return std::sqrt(-2 * std::log(epsilon)); }

TEST(ProposalTest, TruncatedPriorIsUniformWhereThePosteriorIs) {
  const auto proposal =
      MakeTruncatedPrior(Around(1, Box(-10, 10, 2)), {0, 0},
                         {.epsilon = 0.01, .threshold_draws = 200'000});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ((*proposal)->kind(), ProposalKind::kTruncatedPrior);
  const double area = M_PI * Radius(0.01) * Radius(0.01);
  const Share coverage = (*proposal)->coverage();
  EXPECT_NEAR(coverage.value, area / 400, 5 * coverage.error);
  EXPECT_LT(coverage.error, 0.003);
  const auto draws = (*proposal)->Sample(5000, {1, 2}, {});
  ASSERT_TRUE(draws.ok());
  ExpectUniformOnDisc(*draws, Radius(0.01));
  const auto again = (*proposal)->Sample(5000, {1, 2}, {.batch = 77});
  EXPECT_EQ(again->theta, draws->theta);
  EXPECT_NEAR(draws->log_density[0],
              -std::log(400.0) - std::log(coverage.value), 1e-12);
  const std::vector<double> outside = {5, 5}, beyond = {11, 0};
  EXPECT_EQ((*proposal)->LogDensity(outside)->at(0), -kInf);
  EXPECT_EQ((*proposal)->LogDensity(beyond)->at(0), -kInf);
}

// The disc is a millionth of the box: no prior draw falls into it.
TEST(ProposalTest, TruncatedPriorIsDrawnWithinACoverWhereItIsTiny) {
  const auto proposal =
      MakeTruncatedPrior(Around(1, Box(-3000, 3000, 2)), {0, 0},
                         {.epsilon = 0.02, .threshold_draws = 100'000});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  ASSERT_EQ((*proposal)->messages().size(), 1u);
  EXPECT_THAT((*proposal)->messages()[0], HasSubstr("ellipsoid"));
  const double area = M_PI * Radius(0.02) * Radius(0.02);
  const Share coverage = (*proposal)->coverage();
  EXPECT_NEAR(coverage.value / (area / 36e6), 1, 0.03);
  EXPECT_GT(coverage.error, 0);
  EXPECT_LT(coverage.error / coverage.value, 0.02);
  const auto draws = (*proposal)->Sample(3000, {1, 2}, {});
  ASSERT_TRUE(draws.ok());
  ASSERT_EQ(draws->log_density.size(), 3000u);
  ExpectUniformOnDisc(*draws, Radius(0.02));
  const auto again = (*proposal)->Sample(2000, {1, 2}, {.batch = 999});
  EXPECT_TRUE(std::equal(again->theta.begin(), again->theta.end(),
                         draws->theta.begin()));
}

// In the corner of a box a quarter of the disc is left, of one estimator or of
// two that agree: the coverage must count the mass that leaks.
TEST(ProposalTest, TruncatedPriorCountsLeakage) {
  const auto prior = Box(0, 6000, 2);
  const auto estimator =
      std::make_shared<LinearGaussianEstimator>(std::vector<double>{1, 1});
  const double area = M_PI / 4 * Radius(0.02) * Radius(0.02);
  for (const int members : {1, 2}) {
    const std::shared_ptr<const Posterior> posterior =
        Posterior::Make(std::vector<EnsembleMember>(members, {estimator, 1}),
                        prior)
            .value();
    const auto proposal = MakeTruncatedPrior(
        posterior, {0, 0}, {.epsilon = 0.02, .threshold_draws = 50'000});
    ASSERT_TRUE(proposal.ok()) << proposal.status();
    EXPECT_NEAR((*proposal)->coverage().value / (area / 36e6), 1, 0.1)
        << members;
    const auto draws = (*proposal)->Sample(500, {1, 2}, {});
    ASSERT_TRUE(draws.ok());
    EXPECT_EQ(draws->log_density[0], draws->log_density[499]);
    EXPECT_NEAR(draws->log_density[0], -std::log(area), 0.1);
    for (const double one : draws->theta) EXPECT_LT(one, 1.02 * Radius(0.02));
  }
}

TEST(ProposalTest, TruncatedPriorKeepsTheShapeOfThePrior) {
  const std::vector<MarginalSpec> specs = {
      {"a", "normal", {{"mean", 0}, {"sigma", 300}}}};
  auto prior = MakePrior(specs);
  ASSERT_TRUE(prior.ok());
  // A part of the prior that is tiny, and one that is not.
  for (const double sigma : {0.3, 100.0}) {
    const auto proposal = MakeTruncatedPrior(
        Around(sigma, std::shared_ptr<const Prior>(MakePrior(specs).value())),
        {0.5 * sigma}, {.epsilon = 0.001});
    ASSERT_TRUE(proposal.ok()) << proposal.status();
    const double z = -NormalQuantile(0.0005);
    const double low = (0.5 - z) * sigma, high = (0.5 + z) * sigma;
    const double mass = NormalCdf(high / 300) - NormalCdf(low / 300);
    const Share coverage = (*proposal)->coverage();
    EXPECT_NEAR(coverage.value / mass, 1,
                5 * coverage.error / coverage.value + 0.02);
    const auto draws = (*proposal)->Sample(4000, {5, 5}, {});
    ASSERT_TRUE(draws.ok());
    double sum = 0;
    for (const double theta : draws->theta) {
      sum += (NormalCdf(theta / 300) - NormalCdf(low / 300)) / mass;
    }
    EXPECT_NEAR(sum / 4000, 0.5, 5 * std::sqrt(1 / (12.0 * 4000)) + 0.005);
  }
}

TEST(ProposalTest, RefusesThresholdsThatCannotBe) {
  const auto posterior = Around(1, Box(-10, 10, 1));
  EXPECT_THAT(std::string(MakeTruncatedPrior(posterior, {0}, {.epsilon = 0})
                              .status()
                              .message()),
              HasSubstr("epsilon is 0"));
  EXPECT_THAT(
      std::string(MakeTruncatedPrior(posterior, {0},
                                     {.epsilon = 1e-4, .threshold_draws = 1000})
                      .status()
                      .message()),
      HasSubstr("needs 10000 threshold draws"));
  EXPECT_FALSE(MakeTruncatedPrior(posterior, {0, 0}).ok());
  EXPECT_EQ(MakeTruncatedPrior(posterior, {500}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ProposalTest, RestrictedPriorFollowsItsPredicate) {
  const RegionPredicate small = [](std::span<const double> theta,
                                   std::span<bool> accepted) {
    for (size_t i = 0; i < accepted.size(); ++i) accepted[i] = theta[i] < 0.25;
  };
  const auto proposal = MakeRestrictedPrior(Box(0, 1, 1), small);
  ASSERT_TRUE(proposal.ok());
  EXPECT_EQ((*proposal)->kind(), ProposalKind::kRestrictedPrior);
  EXPECT_NEAR((*proposal)->coverage().value, 0.25,
              5 * (*proposal)->coverage().error);
  const auto draws = (*proposal)->Sample(1000, {1, 1}, {});
  ASSERT_TRUE(draws.ok());
  EXPECT_LT(*std::max_element(draws->theta.begin(), draws->theta.end()), 0.25);
  EXPECT_NEAR(draws->acceptance.value, 0.25, 5 * draws->acceptance.error);
  const std::vector<double> theta = {0.1, 0.3, -1};
  const auto log_density = (*proposal)->LogDensity(theta);
  EXPECT_NEAR((*log_density)[0], -std::log((*proposal)->coverage().value),
              1e-12);
  EXPECT_EQ((*log_density)[1], -kInf);
  EXPECT_EQ((*log_density)[2], -kInf);
  const auto nothing = MakeRestrictedPrior(
      Box(0, 1, 1), [](std::span<const double>, std::span<bool> accepted) {
        std::fill(accepted.begin(), accepted.end(), false);
      });
  EXPECT_EQ(nothing.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ProposalTest, PriorAndPosteriorSayTheirDensities) {
  const auto posterior = Around(1, Box(-2, 2, 2));
  const std::vector<double> x = {0.5, -1};
  const auto from_prior =
      MakePriorProposal(Box(-2, 2, 2))->Sample(10, {1, 0}, {});
  ASSERT_TRUE(from_prior.ok());
  EXPECT_NEAR(from_prior->log_density[9], -std::log(16.0), 1e-14);
  const auto proposal = MakePosteriorProposal(posterior, x);
  ASSERT_TRUE(proposal.ok());
  const auto draws = (*proposal)->Sample(100, {1, 0}, {});
  ASSERT_TRUE(draws.ok());
  EXPECT_EQ(draws->log_density, *posterior->LogDensity(draws->theta, x));
  EXPECT_TRUE((*proposal)->messages().empty());
}

TEST(ProposalTest, PosteriorThatLeaksIsDrawnFromThePrior) {
  const auto posterior = Around(1, Box(3.5, 5, 1));
  const std::vector<double> x = {0};
  const auto proposal = MakePosteriorProposal(posterior, x);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  const auto draws = (*proposal)->Sample(3000, {1, 0}, {});
  ASSERT_TRUE(draws.ok());
  ASSERT_FALSE(draws->messages.empty());
  EXPECT_THAT(draws->messages[0],
              HasSubstr("drawn by rejection from the prior"));
  EXPECT_GT(draws->acceptance.value, 0.1);
  const double total = NormalCdf(-3.5) - NormalCdf(-5);
  double sum = 0;
  for (const double theta : draws->theta) {
    sum += (NormalCdf(-3.5) - NormalCdf(-theta)) / total;
  }
  EXPECT_NEAR(sum / 3000, 0.5, 5 * std::sqrt(1 / (12.0 * 3000)));
}

TEST(RejectionTest, DrawsFromATargetWhateverTheBound) {
  const auto prior = Box(0, 1, 1);
  // Density 2 theta.
  const LogTarget target = [](std::span<const double> theta,
                              std::span<double> value) {
    for (size_t i = 0; i < value.size(); ++i) value[i] = std::log(theta[i]);
  };
  for (const double log_bound : {0.0, 1.0, -4.0}) {
    const auto sample = [&](int64_t batch) {
      return RejectionSample(PriorCandidates(target, *prior, {2, 2}), 1,
                             {.n = 4000,
                              .key = {2, 2},
                              .limits = {.batch = batch},
                              .log_bound = log_bound});
    };
    const auto result = sample(10'000);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->violations > 0, log_bound < 0);
    double sum = 0;
    for (const double theta : result->draws.theta) sum += theta * theta;
    EXPECT_NEAR(sum / 4000, 0.5, 5 * std::sqrt(1 / (12.0 * 4000)));
    EXPECT_EQ(sample(13)->draws.theta, result->draws.theta);
  }
}

TEST(RejectionTest, FindsItsBoundByClimbing) {
  const auto prior = Box(-50, 50, 2);
  const auto log_ratio = [](std::span<const double> theta,
                            std::span<double> value,
                            std::span<double> gradient) {
    for (size_t i = 0; i < value.size(); ++i) {
      const double a = theta[2 * i], b = theta[2 * i + 1];
      value[i] = -0.5 * (a * a + b * b);
      if (gradient.empty()) continue;
      gradient[2 * i] = -a;
      gradient[2 * i + 1] = -b;
    }
  };
  const LogTarget target = [&](std::span<const double> theta,
                               std::span<double> value) {
    log_ratio(theta, value, {});
    for (double& one : value) one -= std::log(1e4);
  };
  const auto result = SampleFromTarget(target, *prior,
                                       {.n = 300,
                                        .key = {1, 1},
                                        .pilot_draws = 100,
                                        .ratio_gradient = log_ratio});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->violations, 0);
  EXPECT_NEAR(result->log_bound, std::log(1.2), 1e-6);
  EXPECT_NEAR(result->draws.acceptance.value, 2 * M_PI / 1e4 / 1.2, 5e-5 * 2);
  EXPECT_FALSE(SampleFromTarget(target, *prior, {.n = 1, .margin = 0.5}).ok());
  const LogTarget broken = [](std::span<const double>,
                              std::span<double> value) {
    std::fill(value.begin(), value.end(), NAN);
  };
  EXPECT_EQ(SampleFromTarget(broken, *prior, {.n = 1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace somafit
