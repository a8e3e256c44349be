#include "server/posterior/resampling.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/normal.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

// Density 3 theta^2 on the unit interval.
void LogSquare(std::span<const double> theta, std::span<double> value) {
  for (size_t i = 0; i < value.size(); ++i) value[i] = 2 * std::log(theta[i]);
}

TEST(ResamplingTest, DrawsFromATarget) {
  const auto prior = MakeBoxPrior(std::vector<Support>{{0, 1}});
  const LogTarget target = LogSquare;
  const auto sample = [&](int64_t n, int64_t batch) {
    return Resample(PriorCandidates(target, *prior, {2, 2}), 1,
                    {.n = n, .key = {2, 2}, .limits = {.batch = batch}});
  };
  const auto result = sample(4000, 10'000);
  ASSERT_TRUE(result.ok()) << result.status();
  double sum = 0;
  for (const double theta : result->draws.theta) sum += std::pow(theta, 3);
  EXPECT_NEAR(sum / 4000, 0.5, 5 * std::sqrt(1 / (12.0 * 4000)) + 0.01);
  EXPECT_EQ(result->draws.acceptance.tries, 4000 * 32);
  // (E w)^2 / E w^2 = (1/3)^2 / (1/5).
  EXPECT_NEAR(result->effective_samples / (4000 * 32), 5.0 / 9, 0.01);
  EXPECT_LT(result->pareto_shape, 0.1);
  ASSERT_EQ(result->draws.messages.size(), 1u);
  EXPECT_THAT(result->draws.messages[0], HasSubstr("effective sample size"));
  EXPECT_EQ(sample(4000, 100)->draws.theta, result->draws.theta);
  const auto fewer = sample(10, 1)->draws.theta;
  EXPECT_TRUE(
      std::equal(fewer.begin(), fewer.end(), result->draws.theta.begin()));
}

TEST(ResamplingTest, PassesOverGroupsWithoutWeightAndEnds) {
  const auto prior = MakeBoxPrior(std::vector<Support>{{0, 1}});
  const LogTarget rare = [](std::span<const double> theta,
                            std::span<double> value) {
    for (size_t i = 0; i < value.size(); ++i) {
      value[i] = theta[i] < 0.01 ? 0 : -kInf;
    }
  };
  const auto result = Resample(PriorCandidates(rare, *prior, {1, 1}), 1,
                               {.n = 100, .key = {1, 1}, .oversampling = 4});
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->draws.theta.size(), 100u);
  for (const double theta : result->draws.theta) EXPECT_LT(theta, 0.01);
  EXPECT_NEAR(static_cast<double>(result->draws.acceptance.tries), 10'000,
              5'000);
  EXPECT_THAT(result->draws.messages,
              testing::Contains(HasSubstr("raise oversampling_factor")));
  const LogTarget never = [](std::span<const double>, std::span<double> value) {
    std::fill(value.begin(), value.end(), -kInf);
  };
  const auto none =
      Resample(PriorCandidates(never, *prior, {1, 1}), 1,
               {.n = 5, .key = {1, 1}, .limits = {.max_candidates = 1000}});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->draws.end, DrawEnd::kMaxCandidates);
  EXPECT_TRUE(none->draws.theta.empty());
  EXPECT_EQ(none->draws.acceptance.tries, 992);
  const LogTarget broken = [](std::span<const double>,
                              std::span<double> value) {
    std::fill(value.begin(), value.end(), NAN);
  };
  EXPECT_EQ(Resample(PriorCandidates(broken, *prior, {1, 1}), 1, {.n = 1})
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

// Weights with P(w > t) = t^(-1/k) have the shape k.
TEST(ResamplingTest, ParetoShapeTellsHeavyTails) {
  for (const double k : {0.3, 0.7, 1.5}) {
    RandomStream random(1, StreamPurpose::kExample, 0, 0);
    std::vector<double> log_weights;
    for (int i = 0; i < 50'000; ++i) {
      log_weights.push_back(-k * std::log(OpenUniform(random)));
    }
    EXPECT_NEAR(ParetoShape(log_weights), k, 0.15);
  }
  EXPECT_TRUE(std::isnan(ParetoShape(std::vector<double>(20, 0.0))));
  EXPECT_LT(ParetoShape(std::vector<double>(1000, -3.0)), 0);
}

}  // namespace
}  // namespace somafit
