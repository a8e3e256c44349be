#include "server/posterior/posterior_sampling.h"

#include <chrono>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/normal.h"
#include "tests/support/linear_gaussian.h"

namespace somafit {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::shared_ptr<const Posterior> Of(std::shared_ptr<const Prior> prior) {
  return Posterior::Make({{std::make_shared<LinearGaussianEstimator>(
                             std::vector<double>{1, 0.5})}},
                         std::move(prior))
      .value();
}

// One bound cuts the first parameter at its mean, the second's prior is
// narrower to one side: all samplers must have the same distribution, which
// factorizes.
std::shared_ptr<const Posterior> Cut() {
  const std::vector<MarginalSpec> specs = {
      {"a", "uniform", {{"lower", 0}, {"upper", 8}}},
      {"b", "log_uniform", {{"lower", 0.1}, {"upper", 10}}}};
  return Of(std::shared_ptr<const Prior>(MakePrior(specs).value()));
}

double MassBelow(double x, double mean, double sigma, double lower) {
  const double from = NormalCdf((lower - mean) / sigma);
  return (NormalCdf((x - mean) / sigma) - from) / (1 - from);
}

TEST(PosteriorSamplingTest, AllSamplersHaveOneDistribution) {
  const auto posterior = Cut();
  const std::vector<double> x = {0, 0.6};
  for (const SampleWith sample_with :
       {SampleWith::kDirect, SampleWith::kRejection, SampleWith::kImportance}) {
    SCOPED_TRACE(static_cast<int>(sample_with));
    const SamplingOptions options{.sample_with = sample_with,
                                  .oversampling_factor = 200};
    const auto draws = SamplePosterior(posterior, x, 4000, {3, 1}, {}, options);
    ASSERT_TRUE(draws.ok()) << draws.status();
    ASSERT_EQ(draws->log_density.size(), 4000u);
    double a = 0, b = 0, squares = 0;
    for (size_t i = 0; i < 8000; i += 2) {
      const double share = MassBelow(draws->theta[i], 0, 1, 0);
      a += share;
      squares += (share - 0.5) * (share - 0.5);
      b += MassBelow(draws->theta[i + 1], 0.6, 0.5, 0.1);
    }
    const double error = 5 / std::sqrt(12.0 * 4000) + 0.005;
    EXPECT_NEAR(a / 4000, 0.5, error);
    EXPECT_NEAR(squares / 4000, 1 / 12.0, 0.005);
    EXPECT_NEAR(b / 4000, 0.5, error);
    EXPECT_EQ(draws->log_density, *posterior->Potential(draws->theta, x));
    const auto few =
        SamplePosterior(posterior, x, 100, {3, 1}, {.batch = 333}, options);
    EXPECT_TRUE(
        std::equal(few->theta.begin(), few->theta.end(), draws->theta.begin()));
  }
}

TEST(PosteriorSamplingTest, SaysHowItWent) {
  const std::vector<double> x = {0, 0.6};
  const auto rejection = SamplePosterior(
      Cut(), x, 500, {1, 1}, {}, {.sample_with = SampleWith::kRejection});
  ASSERT_TRUE(rejection.ok());
  // The mean of posterior / prior over the largest ratio, under a margin
  // of 1.2: that of the first parameter is 1.2533 / 8, of the second about
  // 0.26.
  EXPECT_NEAR(rejection->acceptance.value, 0.033, 0.012);
  EXPECT_THAT(rejection->messages,
              Contains(HasSubstr("by rejection from the prior")));
  const auto importance = SamplePosterior(
      Cut(), x, 500, {1, 1}, {}, {.sample_with = SampleWith::kImportance});
  ASSERT_TRUE(importance.ok());
  EXPECT_EQ(importance->acceptance.tries, 500 * 32);
  EXPECT_THAT(importance->messages,
              Contains(HasSubstr("effective sample size")));
}

TEST(PosteriorSamplingTest, EndsInTimeWithWhatThereIs) {
  const auto posterior = Of(MakeBoxPrior(std::vector<Support>(2, {-1e5, 1e5})));
  const std::vector<double> x = {0, 0};
  for (const SampleWith sample_with :
       {SampleWith::kRejection, SampleWith::kImportance}) {
    const auto begin = std::chrono::steady_clock::now();
    DrawLimits limits;
    limits.stop = [&] {
      return std::chrono::steady_clock::now() - begin >
             std::chrono::milliseconds(200);
    };
    const auto draws = SamplePosterior(posterior, x, 100'000, {1, 1}, limits,
                                       {.sample_with = sample_with});
    ASSERT_TRUE(draws.ok()) << draws.status();
    EXPECT_EQ(draws->end, DrawEnd::kStopped);
    EXPECT_LT(draws->log_density.size(), 100'000u);
    EXPECT_THAT(draws->messages, Contains(HasSubstr("stopped")));
  }
}

TEST(PosteriorSamplingTest, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(*ReadSampleWith(""), SampleWith::kDirect);
  EXPECT_EQ(*ReadSampleWith("direct"), SampleWith::kDirect);
  EXPECT_EQ(*ReadSampleWith("rejection"), SampleWith::kRejection);
  EXPECT_EQ(*ReadSampleWith("importance"), SampleWith::kImportance);
  for (const char* name : {"mcmc", "vi"}) {
    EXPECT_THAT(std::string(ReadSampleWith(name).status().message()),
                HasSubstr("is drawn from directly"));
  }
  EXPECT_THAT(std::string(ReadSampleWith("gibbs").status().message()),
              HasSubstr("there is no sampler \"gibbs\""));
  EXPECT_TRUE(CheckSampling({}, 1).empty());
  EXPECT_THAT(CheckSampling({.sample_with = SampleWith::kRejection,
                             .oversampling_factor = 0,
                             .keep_outside_prior = true},
                            1),
              SizeIs(2));
  EXPECT_THAT(CheckSampling({.sample_with = SampleWith::kImportance,
                             .oversampling_factor = 100'000},
                            1000),
              ElementsAre(HasSubstr("too many candidates")));
  EXPECT_FALSE(SamplePosterior(Cut(), std::vector<double>{NAN, 1}, 1, {}, {},
                               {.sample_with = SampleWith::kRejection})
                   .ok());
}

}  // namespace
}  // namespace somafit
