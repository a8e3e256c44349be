#include <cmath>
#include <limits>

#include <Eigen/LU>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/trainer/question_task.h"
#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::HasSubstr;

// One posterior for all questions.
LinearLab& Lab() {
  static LinearLab* const lab = [] {
    auto* made = new LinearLab("tsnpe", "mdn");
    v1::NamedText* option = made->problem().mutable_estimator()->add_options();
    option->set_name("num_components");
    option->set_text("1");
    made->DoRound(0, 1000);
    return made;
  }();
  return *lab;
}

v1::PosteriorAnswer Ask(const v1::AskPosteriorRequest& ask) {
  const auto answer = Lab().Ask(ask, 0);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? *answer : v1::PosteriorAnswer();
}

void ExpectRefused(const v1::AskPosteriorRequest& ask, const std::string& why) {
  const absl::Status status = Lab().Ask(ask, 0).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(why));
}

v1::AskPosteriorRequest Draws(int64_t n, uint64_t seed = 3) {
  v1::AskPosteriorRequest ask;
  ask.mutable_draw()->set_n(n);
  ask.mutable_draw()->set_seed(seed);
  return ask;
}

TEST(Questions, DrawsLieInThePriorAndTheFirstOfMoreAreTheSame) {
  const v1::PosteriorAnswer few = Ask(Draws(100)), more = Ask(Draws(300));
  ASSERT_EQ(few.theta_size(), 200);
  ASSERT_EQ(few.log_density_size(), 100);
  EXPECT_EQ(few.accepted(), 100);
  EXPECT_GE(few.candidates(), 100);
  EXPECT_EQ(few.incomplete(), "");
  EXPECT_TRUE(
      std::equal(few.theta().begin(), few.theta().end(), more.theta().begin()));
  const Eigen::MatrixXd z = LinearLab::ToZ({more.theta().data(), 600});
  EXPECT_LT(z.cwiseAbs().maxCoeff(), 4);
  EXPECT_NE(Ask(Draws(100, 4)).theta(0), few.theta(0));
}

TEST(Questions, DrawsOutsideThePriorOnRequest) {
  // An observation whose posterior reaches over the bounds.
  v1::AskPosteriorRequest ask = Draws(1000);
  ask.add_x(3.5);
  ask.add_x(-0.5);
  const v1::PosteriorAnswer inside = Ask(ask);
  EXPECT_GT(inside.candidates(), inside.accepted());
  EXPECT_EQ(inside.log_density_size(), 1000);
  ask.mutable_draw()->set_keep_outside_prior(true);
  const v1::PosteriorAnswer all = Ask(ask);
  EXPECT_EQ(all.candidates(), 1000);
  EXPECT_LT(all.accepted(), 1000);
  EXPECT_EQ(all.log_density_size(), 1000);
}

TEST(Questions, DrawsEndInTime) {
  v1::AskPosteriorRequest ask = Draws(1'000'000);
  ask.mutable_draw()->set_max_seconds(1e-6);
  const v1::PosteriorAnswer answer = Ask(ask);
  EXPECT_LT(answer.log_density_size(), 1'000'000);
  EXPECT_THAT(answer.incomplete(), HasSubstr("max_seconds"));
}

TEST(Questions, OtherSamplersDrawFromTheSamePosterior) {
  const Eigen::MatrixXd direct =
      LinearLab::ToZ({Ask(Draws(4000)).theta().data(), 8000});
  for (const char* sampler : {"rejection", "importance"}) {
    SCOPED_TRACE(sampler);
    v1::AskPosteriorRequest ask = Draws(4000);
    ask.mutable_draw()->set_sample_with(sampler);
    ask.mutable_draw()->set_oversampling_factor(200);
    const v1::PosteriorAnswer answer = Ask(ask);
    ASSERT_EQ(answer.theta_size(), 8000);
    EXPECT_GT(answer.candidates(), 4 * answer.accepted());
    ASSERT_FALSE(answer.messages().empty());
    const Eigen::MatrixXd z = LinearLab::ToZ({answer.theta().data(), 8000});
    for (int i = 0; i < 2; ++i) {
      const double sd = std::sqrt(Lab().covariance()(i, i));
      EXPECT_NEAR(z.row(i).mean(), direct.row(i).mean(), 0.1 * sd);
      const auto variance = [i](const Eigen::MatrixXd& of) {
        return (of.row(i).array() - of.row(i).mean()).square().mean();
      };
      EXPECT_NEAR(variance(z) / variance(direct), 1, 0.15);
    }
  }
  v1::AskPosteriorRequest wrong = Draws(0);
  wrong.mutable_draw()->set_sample_with("mcmc");
  wrong.mutable_draw()->set_oversampling_factor(-1);
  for (const char* said : {"n is 0", "mcmc", "oversampling_factor is -1"}) {
    ExpectRefused(wrong, said);
  }
}

// Rows of a batch are keyed by their numbers, and keep their draws whatever
// other rows there are.
TEST(Questions, SeveralObservationsAtOnce) {
  const std::vector<double> xs = {0.8, -0.5, -1, 0.3, 0.8, -0.5};
  v1::AskPosteriorRequest ask = Draws(500);
  ask.mutable_x()->Add(xs.begin(), xs.end());
  const v1::PosteriorAnswer all = Ask(ask);
  ASSERT_EQ(all.theta_size(), 3 * 500 * 2);
  EXPECT_THAT(all.draws_of_x(), testing::ElementsAre(500, 500, 500));
  EXPECT_EQ(all.accepted(), 1500);
  ask.mutable_x()->Truncate(4);
  const v1::PosteriorAnswer two = Ask(ask);
  EXPECT_TRUE(
      std::equal(two.theta().begin(), two.theta().end(), all.theta().begin()));
  EXPECT_NE(all.theta(0), all.theta(2 * 1000));
  const Eigen::MatrixXd z = LinearLab::ToZ({all.theta().data(), 3000});
  const auto mean_of = [&](int row) {
    return Eigen::Vector2d(z.middleCols(row * 500, 500).rowwise().mean());
  };
  const double sd = std::sqrt(Lab().covariance()(0, 0));
  EXPECT_NEAR(mean_of(0)[0], mean_of(2)[0], 0.3 * sd);
  EXPECT_GT(mean_of(0)[0] - mean_of(1)[0], 2 * sd);

  // Densities: of each x's own points.
  v1::AskPosteriorRequest density;
  *density.mutable_x() = ask.x();
  *density.mutable_density()->mutable_theta() = two.theta();
  const v1::PosteriorAnswer densities = Ask(density);
  ASSERT_EQ(densities.log_density_size(), 1000);
  v1::AskPosteriorRequest one;
  one.mutable_x()->Add(xs.begin() + 2, xs.begin() + 4);
  one.mutable_density()->mutable_theta()->Add(two.theta().begin() + 1000,
                                              two.theta().end());
  const v1::PosteriorAnswer alone = Ask(one);
  EXPECT_TRUE(std::equal(alone.log_density().begin(), alone.log_density().end(),
                         densities.log_density().begin() + 500));

  density.mutable_density()->mutable_theta()->Truncate(6);
  ExpectRefused(density, "3 rows for 2 x");
  ask.add_x(1);
  ExpectRefused(ask, "x has 5 numbers");
  ask.add_x(NAN);
  ExpectRefused(ask, "x, observation 2");
  v1::AskPosteriorRequest map;
  map.mutable_map();
  map.mutable_x()->Add(xs.begin(), xs.end());
  ExpectRefused(map, "x has 6 numbers");
}

TEST(Questions, DensitiesAddToOneAndAreTheGaussians) {
  constexpr int kN = 120;
  Eigen::MatrixXd z(2, kN * kN);
  const double step = 8.0 / kN;
  for (int i = 0; i < kN * kN; ++i) {
    z.col(i) << -4 + (i % kN + 0.5) * step, -4 + (i / kN + 0.5) * step;
  }
  const std::vector<double> theta = LinearLab::ToTheta(z);
  v1::AskPosteriorRequest ask;
  ask.mutable_density()->mutable_theta()->Add(theta.begin(), theta.end());
  const v1::PosteriorAnswer answer = Ask(ask);
  ASSERT_EQ(answer.log_density_size(), kN * kN);
  double mass = 0;
  for (const double one : answer.log_density()) mass += std::exp(one);
  // The area of a cell in SI: products of the prior's scales.
  mass *= step * step * 5e-10 * 4e-3;
  EXPECT_NEAR(mass, 1, 0.01);
  // From the mean along the first parameter.
  Eigen::MatrixXd pair(2, 2);
  pair.col(0) = Lab().mean();
  pair.col(1) = pair.col(0);
  pair(0, 1) += 0.5;
  const std::vector<double> two = LinearLab::ToTheta(pair);
  ask.mutable_density()->clear_theta();
  ask.mutable_density()->mutable_theta()->Add(two.begin(), two.end());
  ask.mutable_density()->set_unnormalized(true);
  const v1::PosteriorAnswer ratio = Ask(ask);
  const double precision = Lab().covariance().inverse()(0, 0);
  EXPECT_NEAR(ratio.log_density(0) - ratio.log_density(1),
              0.5 * precision * 0.25, 0.3);
  // Outside of the prior there is none.
  ask.mutable_density()->set_theta(0, 1);
  EXPECT_EQ(Ask(ask).log_density(0), -std::numeric_limits<double>::infinity());
}

TEST(Questions, TheMaximumIsTheMean) {
  v1::AskPosteriorRequest ask;
  ask.mutable_map();
  const v1::PosteriorAnswer answer = Ask(ask);
  ASSERT_EQ(answer.theta_size(), 2);
  ASSERT_EQ(answer.log_density_size(), 1);
  const Eigen::MatrixXd z = LinearLab::ToZ({answer.theta().data(), 2});
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(z(i, 0), Lab().mean()[i],
                0.35 * std::sqrt(Lab().covariance()(i, i)));
  }
  const v1::PosteriorAnswer draws = Ask(Draws(200));
  v1::AskPosteriorRequest density;
  *density.mutable_density()->mutable_theta() = draws.theta();
  const v1::PosteriorAnswer densities = Ask(density);
  for (const double one : densities.log_density()) {
    EXPECT_LE(one, answer.log_density(0) + 1e-6);
  }
}

TEST(Questions, ConditionalsAreTheGaussians) {
  v1::AskPosteriorRequest ask;
  v1::ConditionalQuery& query = *ask.mutable_conditional();
  const std::vector<double> center = LinearLab::ToTheta(Lab().mean());
  query.mutable_condition()->Add(center.begin(), center.end());
  query.set_resolution(80);
  const v1::PosteriorAnswer grids = Ask(ask);
  EXPECT_EQ(grids.pairs_size(), 80 * 80);
  ASSERT_EQ(grids.singles_size(), 2 * 80);
  ASSERT_EQ(grids.lower_size(), 2);
  EXPECT_EQ(*std::max_element(grids.pairs().begin(), grids.pairs().end()), 1);
  // The spread of the first parameter with the other one fixed.
  const double step = (grids.upper(0) - grids.lower(0)) / 79 / 5e-10;
  double sum = 0, mean = 0, square = 0;
  for (int i = 0; i < 80; ++i) {
    const double p = grids.singles(i), z = -4 + i * step;
    sum += p, mean += p * z, square += p * z * z;
  }
  mean /= sum;
  const double precision = Lab().covariance().inverse()(0, 0);
  EXPECT_NEAR(std::sqrt((square / sum - mean * mean) * precision), 1, 0.2);

  query.set_correlations(true);
  const v1::PosteriorAnswer correlations = Ask(ask);
  ASSERT_EQ(correlations.correlations_size(), 4);
  EXPECT_EQ(correlations.correlations(0), 1);
  const Eigen::MatrixXd& c = Lab().covariance();
  EXPECT_NEAR(correlations.correlations(1),
              c(0, 1) / std::sqrt(c(0, 0) * c(1, 1)), 0.15);
  // Two of one: the same parameter alone.
  query.set_correlations(false);
  query.add_subset(1);
  const v1::PosteriorAnswer alone = Ask(ask);
  EXPECT_EQ(alone.pairs_size(), 0);
  EXPECT_EQ(alone.singles_size(), 80);
}

TEST(Questions, MistakesAreNamed) {
  ExpectRefused({}, "asks for nothing");
  ExpectRefused(Draws(0), "1 to 1000000 draws");
  ExpectRefused(Draws(1'000'001), "1 to 1000000 draws");
  v1::AskPosteriorRequest ask = Draws(5);
  ask.add_x(1);
  ExpectRefused(ask, "x has 1 numbers");
  ask.add_x(std::nan(""));
  ExpectRefused(ask, "`v_max` is nan");
  ask = {};
  ask.mutable_density();
  ExpectRefused(ask, "theta has 0 numbers");
  ask.mutable_density()->add_theta(1);
  ExpectRefused(ask, "theta has 1 numbers");
  ask.mutable_density()->add_theta(std::nan(""));
  ExpectRefused(ask, "row 0: `E` is nan");
  ask = {};
  ask.mutable_map()->set_num_init_samples(-5);
  ExpectRefused(ask, "num_init_samples");
  ask = {};
  ask.mutable_conditional();
  ExpectRefused(ask, "condition has 0 numbers");
  const std::vector<double> center = LinearLab::ToTheta(Lab().mean());
  ask.mutable_conditional()->mutable_condition()->Add(center.begin(),
                                                      center.end());
  ask.mutable_conditional()->set_resolution(1);
  ExpectRefused(ask, "resolution is 1");
  ask.mutable_conditional()->set_resolution(0);
  ask.mutable_conditional()->add_subset(2);
  ExpectRefused(ask, "subset names parameter 2");
}

TEST(Questions, AnswersAreSplit) {
  v1::PosteriorAnswer whole;
  for (int i = 0; i < 300'000; ++i) whole.add_theta(i);
  for (int i = 0; i < 150'000; ++i) whole.add_log_density(-i);
  whole.set_candidates(7);
  whole.add_messages("once");
  const std::vector<v1::PosteriorAnswer> parts = Split(whole);
  ASSERT_EQ(parts.size(), 4u);
  v1::PosteriorAnswer joined;
  for (const v1::PosteriorAnswer& part : parts) {
    EXPECT_LE(sizeof(double) * static_cast<size_t>(part.theta_size() +
                                                   part.log_density_size()),
              kAnswerBytes);
    joined.MergeFrom(part);
  }
  EXPECT_EQ(joined.SerializeAsString(), whole.SerializeAsString());
  EXPECT_EQ(Split({}).size(), 1u);
}

}  // namespace
}  // namespace somafit
