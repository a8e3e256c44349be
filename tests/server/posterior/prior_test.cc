#include "server/posterior/prior.h"

#include <cmath>
#include <limits>
#include <set>

#include <Eigen/LU>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/marginal.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(PriorTest, CatalogueHasUniqueNames) {
  std::set<std::string_view> names;
  for (const MarginalEntry* entry : AllMarginals()) {
    EXPECT_TRUE(names.insert(entry->name).second) << entry->name;
  }
  EXPECT_EQ(FindMarginal("none"), nullptr);
}

TEST(PriorTest, ImproperIsTheSameEverywhere) {
  const auto prior = MakePrior(
      {{{.parameter = "a", .kind = "improper", .options = {{"scale", 1e-9}}}}});
  ASSERT_TRUE(prior.ok()) << prior.status();
  EXPECT_TRUE((*prior)->improper());
  for (const double x : {-1e300, -3e-9, 0.0, 2e-9, 5.0}) {
    const double theta[] = {x};
    EXPECT_EQ((*prior)->LogDensity(theta), 0);
    double u[1], back[1];
    (*prior)->ToUniform(theta, u);
    (*prior)->FromUniform(u, back);
    if (std::fabs(x) < 1e-6) {
      EXPECT_NEAR(back[0], x, 1e-14);
    }
  }
  const double infinite[] = {kInf};
  EXPECT_FALSE((*prior)->Contains(infinite));
}

struct Mistake {
  const char* kind;
  OptionValues options;
  const char* message;
};

TEST(PriorTest, NamesEveryMistake) {
  for (const Mistake& mistake : {
           Mistake{"flat", {}, "no kind of prior \"flat\": choose one of uni"},
           Mistake{"uniform", {{"lower", 1}}, "upper is missing"},
           Mistake{"uniform",
                   {{"lower", 2}, {"upper", 1}},
                   "lower bound 2 is not below upper bound 1"},
           Mistake{"uniform", {{"lower", 1}, {"upper", 1}}, "is not below"},
           Mistake{"uniform",
                   {{"lower", -kInf}, {"upper", 1}},
                   "lower is -inf, but must be a finite"},
           Mistake{"uniform",
                   {{"lower", -1.7e308}, {"upper", 1.7e308}},
                   "wider than numbers go"},
           Mistake{"uniform",
                   {{"lower", 0}, {"upper", 1}, {"sigma", 1}},
                   "\"sigma\" is no option of \"uniform\", which knows lower"},
           Mistake{"normal",
                   {{"mean", 0}, {"sigma", 0}},
                   "sigma is 0, but must be above 0"},
           Mistake{"normal", {{"mean", NAN}, {"sigma", 1}}, "mean is nan"},
           Mistake{"normal",
                   {{"mean", 0}, {"sigma", 1}, {"lower", NAN}},
                   "a bound is nan"},
           Mistake{"normal",
                   {{"mean", 0}, {"sigma", 1}, {"lower", 50}},
                   "no mass of a normal distribution"},
           Mistake{"log_uniform",
                   {{"lower", 0}, {"upper", 1}},
                   "lower is 0, but must be above 0"},
           Mistake{"log_normal",
                   {{"median", -1}, {"sigma_log", 1}},
                   "median is -1"},
           Mistake{"log_normal",
                   {{"median", 1}, {"sigma_log", 20}},
                   "must be at most 6"},
           Mistake{"log_normal",
                   {{"median", 1}, {"sigma_log", 1}, {"upper", 0}},
                   "lower bound 0 is not below upper bound 0"},
           Mistake{"log_normal",
                   {{"median", 1}, {"sigma_log", 0.1}, {"lower", 1e9}},
                   "no mass of a log-normal"},
       }) {
    const MarginalSpec spec{"g_l", mistake.kind, mistake.options};
    const auto prior = MakePrior({&spec, 1});
    ASSERT_FALSE(prior.ok()) << mistake.message;
    EXPECT_EQ(prior.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(prior.status().message()),
                HasSubstr(mistake.message));
    EXPECT_THAT(std::string(prior.status().message()),
                HasSubstr("prior of \"g_l\": "));
  }
  EXPECT_FALSE(MakePrior({}).ok());
}

TEST(PriorTest, NamesTheMistakesOfAllParametersAtOnce) {
  const std::vector<MarginalSpec> specs = {
      {"a", "normal", {{"mean", NAN}, {"sigma", -1}}},
      {"b", "uniform", {{"lower", 0}, {"upper", 1}}},
      {"b", "uniform", {{"upper", 1}}}};
  const auto prior = MakePrior(specs);
  ASSERT_FALSE(prior.ok());
  const std::string message(prior.status().message());
  EXPECT_THAT(message, HasSubstr("\"a\": mean is nan"));
  EXPECT_THAT(message, HasSubstr("\"a\": sigma is -1"));
  EXPECT_THAT(message, HasSubstr("\"b\": there are two priors of it"));
  EXPECT_THAT(message, HasSubstr("\"b\": lower is missing"));
}

TEST(PriorTest, AddsLogDensitiesOfAProduct) {
  const std::vector<MarginalSpec> specs = {
      {"a", "uniform", {{"lower", -3}, {"upper", 1}}},
      {"b", "normal", {{"mean", 1}, {"sigma", 2}}}};
  const auto prior = MakePrior(specs);
  ASSERT_TRUE(prior.ok());
  const std::vector<double> inside = {-1, 3}, outside = {1, 3};
  EXPECT_NEAR((*prior)->LogDensity(inside),
              -std::log(4.0) - 0.5 - std::log(2 * std::sqrt(2 * M_PI)), 1e-14);
  EXPECT_EQ((*prior)->LogDensity(outside), -kInf);
  EXPECT_FALSE((*prior)->Contains(outside));
  const auto form = (*prior)->normal_form();
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->precision, (Eigen::Matrix2d() << 0, 0, 0, 0.25).finished());
}

TEST(PriorTest, CorrelatedNormalHasItsMomentsAndDensity) {
  const Eigen::Vector2d mean(1e-9, -0.07);
  const double sd[] = {2e-10, 0.01};
  Eigen::Matrix2d covariance;
  covariance << sd[0] * sd[0], 0.6 * sd[0] * sd[1], 0.6 * sd[0] * sd[1],
      sd[1] * sd[1];
  const auto prior = MakeNormalPrior(mean, covariance);
  ASSERT_TRUE(prior.ok()) << prior.status();
  constexpr int kDraws = 50'000;
  std::vector<double> draws(2 * kDraws);
  SamplePrior(**prior, {5, 1}, 0, draws);
  double sums[2] = {}, products[3] = {};
  for (int i = 0; i < kDraws; ++i) {
    const double a = (draws[2 * i] - mean[0]) / sd[0];
    const double b = (draws[2 * i + 1] - mean[1]) / sd[1];
    sums[0] += a, sums[1] += b;
    products[0] += a * a, products[1] += a * b, products[2] += b * b;
  }
  const double five_errors = 5 / std::sqrt(kDraws);
  EXPECT_NEAR(sums[0] / kDraws, 0, five_errors);
  EXPECT_NEAR(sums[1] / kDraws, 0, five_errors);
  EXPECT_NEAR(products[0] / kDraws, 1, five_errors * std::sqrt(2.0));
  EXPECT_NEAR(products[1] / kDraws, 0.6, five_errors * std::sqrt(1.36));
  EXPECT_NEAR(products[2] / kDraws, 1, five_errors * std::sqrt(2.0));

  const std::vector<double> theta = {1.1e-9, -0.08};
  const Eigen::Vector2d z(0.5, -1);
  Eigen::Matrix2d correlation;
  correlation << 1, 0.6, 0.6, 1;
  EXPECT_NEAR((*prior)->LogDensity(theta),
              -0.5 * z.dot(correlation.inverse() * z) -
                  0.5 * std::log(1 - 0.36) - std::log(2 * M_PI) -
                  std::log(sd[0]) - std::log(sd[1]),
              1e-11);
  EXPECT_EQ((*prior)->standard_deviation()[0], std::sqrt(covariance(0, 0)));
}

// u is uniform where theta is drawn from the prior, and leads back.
TEST(PriorTest, MapsToTheUnitCubeAndBack) {
  const Eigen::Vector2d mean(1e-9, -0.07);
  Eigen::Matrix2d covariance;
  covariance << 4e-20, 1.2e-12, 1.2e-12, 1e-4;
  const std::vector<MarginalSpec> specs = {
      {"a", "log_uniform", {{"lower", 1e-12}, {"upper", 1e-9}}},
      {"b", "normal", {{"mean", 3}, {"sigma", 2}, {"upper", 4}}}};
  const std::shared_ptr<const Prior> priors[] = {
      MakeNormalPrior(mean, covariance).value(), MakePrior(specs).value()};
  for (const auto& prior : priors) {
    constexpr size_t kDraws = 20'000;
    std::vector<double> draws(2 * kDraws), u(2), back(2);
    SamplePrior(*prior, {5, 1}, 0, draws);
    const auto sd = prior->standard_deviation();
    double sum = 0, both = 0;
    for (size_t i = 0; i < kDraws; ++i) {
      const auto theta = std::span(draws).subspan(2 * i, 2);
      prior->ToUniform(theta, u);
      prior->FromUniform(u, back);
      for (size_t k = 0; k < 2; ++k) {
        ASSERT_NEAR(back[k] / sd[k], theta[k] / sd[k], 1e-9);
      }
      sum += u[0] + u[1];
      both += (u[0] - 0.5) * (u[1] - 0.5);
    }
    EXPECT_NEAR(sum / kDraws, 1, 5 * std::sqrt(1 / 6.0 / kDraws));
    EXPECT_NEAR(both / kDraws, 0, 5 / 12.0 / std::sqrt(kDraws));
    for (const double end : {0.0, 1.0}) {
      prior->FromUniform(std::vector<double>{end, end}, back);
      EXPECT_TRUE(prior->Contains(back));
    }
  }
}

TEST(PriorTest, RefusesCovariancesThatAreNone) {
  const Eigen::Vector2d mean(0, 0);
  Eigen::Matrix2d covariance;
  covariance << 1, 0.5, 0.4, 1;
  EXPECT_THAT(std::string(MakeNormalPrior(mean, covariance).status().message()),
              HasSubstr("not symmetric"));
  covariance << 1, 1, 1, 1;
  EXPECT_THAT(std::string(MakeNormalPrior(mean, covariance).status().message()),
              HasSubstr("not positive definite"));
  covariance(0, 0) = NAN;
  EXPECT_FALSE(MakeNormalPrior(mean, covariance).ok());
  EXPECT_THAT(std::string(MakeNormalPrior(mean, Eigen::MatrixXd::Identity(3, 3))
                              .status()
                              .message()),
              HasSubstr("covariance of 3 by 3"));
}

}  // namespace
}  // namespace somafit
