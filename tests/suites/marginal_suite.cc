// What every kind of marginal prior must do, over several members of each.

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "server/posterior/marginal.h"
#include "server/posterior/prior.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct MarginalCase {
  const char* label;
  const char* kind;
  OptionValues options;
};

class MarginalSuite : public testing::TestWithParam<MarginalCase> {
 protected:
  std::unique_ptr<const Prior> MakePriorOfIt() {
    const MarginalSpec spec{"g", GetParam().kind, GetParam().options};
    auto prior = MakePrior({&spec, 1});
    EXPECT_TRUE(prior.ok()) << prior.status();
    return *std::move(prior);
  }
  std::unique_ptr<Marginal> Make() {
    const MarginalEntry* entry = FindMarginal(GetParam().kind);
    OptionValues options = GetParam().options;
    for (const OptionSpec& option : entry->options) {
      options.try_emplace(std::string(option.name), option.default_value);
    }
    std::vector<std::string> problems;
    auto marginal = entry->make(options, problems);
    EXPECT_TRUE(problems.empty());
    return marginal;
  }
  // Integrals by Simpson's rule, in slices that are ever finer in the tails.
  template <typename F>
  static double Integral(const Marginal& marginal, F f) {
    constexpr int kSlices = 4000, kPanels = 8;
    const auto bound = [&](int i) {
      const double t = 27 * (2.0 * i / kSlices - 1);
      return marginal.Quantile(1 / (1 + std::exp(-t)));
    };
    double sum = 0;
    for (int i = 0; i < kSlices; ++i) {
      const double from = bound(i), to = bound(i + 1);
      const double h = (to - from) / kPanels;
      for (int k = 0; k <= kPanels; ++k) {
        const double weight = k == 0 || k == kPanels ? 1 : k % 2 ? 4 : 2;
        const double x = std::clamp(from + k * h, from, to);
        sum += weight * h / 3 * f(x) * std::exp(marginal.LogDensity(x));
      }
    }
    return sum;
  }
};

TEST_P(MarginalSuite, IntegratesToOne) {
  const auto marginal = Make();
  EXPECT_NEAR(Integral(*marginal, [](double) { return 1.0; }), 1, 1e-8);
}

TEST_P(MarginalSuite, HasItsMeanAndStandardDeviation) {
  const auto marginal = Make();
  const double mean = marginal->mean(), sd = marginal->standard_deviation();
  const double off =
      Integral(*marginal, [&](double x) { return (x - mean) / sd; });
  EXPECT_NEAR(off, 0, 1e-7);
  EXPECT_NEAR(
      Integral(*marginal, [&](double x) { return (x - mean) * (x - mean); }) /
          (sd * sd),
      1, 1e-3);
}

TEST_P(MarginalSuite, QuantileInvertsTheDistribution) {
  const auto marginal = Make();
  double last = -kInf;
  for (const double p : {1e-9, 0.01, 0.2, 0.5, 0.6, 0.99, 1 - 1e-9}) {
    const double x = marginal->Quantile(p);
    EXPECT_NEAR(marginal->Cdf(x), p, 1e-9);
    EXPECT_GT(marginal->LogDensity(x), -kInf);
    EXPECT_GE(x, last);
    last = x;
  }
}

TEST_P(MarginalSuite, HasADensityInsideItsSupportOnly) {
  const auto marginal = Make();
  const auto [lower, upper] = marginal->support();
  EXPECT_TRUE(std::isnan(marginal->LogDensity(std::nan(""))));
  if (lower > -kInf) {
    EXPECT_EQ(marginal->LogDensity(std::nextafter(lower, -kInf)), -kInf);
    EXPECT_GT(marginal->LogDensity(std::nextafter(lower, kInf)), -kInf);
    EXPECT_EQ(marginal->Cdf(lower), 0);
  }
  if (upper < kInf) {
    EXPECT_EQ(marginal->LogDensity(upper), -kInf);
    EXPECT_GT(marginal->LogDensity(std::nextafter(upper, -kInf)), -kInf);
    EXPECT_EQ(marginal->Cdf(upper), 1);
  }
  for (const double p : {0x1p-53, 1 - 0x1p-53}) {
    EXPECT_GT(marginal->LogDensity(marginal->Quantile(p)), -kInf) << p;
  }
}

TEST_P(MarginalSuite, DrawsHaveItsDistributionAndAreTheSameAgain) {
  const auto prior = MakePriorOfIt();
  const auto marginal = Make();
  constexpr int kDraws = 20'000;
  std::vector<double> draws(kDraws), parts(kDraws);
  SamplePrior(*prior, {7, 3}, 0, draws);
  // In other batches.
  SamplePrior(*prior, {7, 3}, 0, std::span(parts).first(17));
  SamplePrior(*prior, {7, 3}, 17, std::span(parts).subspan(17));
  EXPECT_EQ(draws, parts);
  // Mean and variance of the cumulative probabilities, five standard errors.
  double sum = 0, squares = 0;
  for (const double x : draws) {
    const double p = marginal->Cdf(x);
    sum += p;
    squares += (p - 0.5) * (p - 0.5);
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1 / (12.0 * kDraws)));
  EXPECT_NEAR(squares / kDraws, 1 / 12.0, 5 * std::sqrt(1 / (180.0 * kDraws)));
}

INSTANTIATE_TEST_SUITE_P(
    All, MarginalSuite,
    testing::Values(
        MarginalCase{"uniform", "uniform", {{"lower", -2e-9}, {"upper", 5e-9}}},
        MarginalCase{"normal", "normal", {{"mean", 3}, {"sigma", 0.5}}},
        MarginalCase{"normal_between",
                     "normal",
                     {{"mean", 1e-12},
                      {"sigma", 2e-12},
                      {"lower", 0},
                      {"upper", 3e-12}}},
        MarginalCase{"normal_above",
                     "normal",
                     {{"mean", 0}, {"sigma", 1}, {"lower", 6}}},
        MarginalCase{
            "normal_far_between",
            "normal",
            {{"mean", 0}, {"sigma", 1}, {"lower", -20}, {"upper", -18}}},
        MarginalCase{
            "normal_narrow",
            "normal",
            {{"mean", 0}, {"sigma", 1}, {"lower", 1}, {"upper", 1.001}}},
        MarginalCase{
            "log_uniform", "log_uniform", {{"lower", 1e-12}, {"upper", 1e-9}}},
        MarginalCase{"log_uniform_narrow",
                     "log_uniform",
                     {{"lower", 1}, {"upper", 1.01}}},
        MarginalCase{
            "log_normal", "log_normal", {{"median", 4e-9}, {"sigma_log", 0.5}}},
        MarginalCase{"log_normal_between",
                     "log_normal",
                     {{"median", 0.4},
                      {"sigma_log", 1.5},
                      {"lower", 0.2},
                      {"upper", 20}}},
        MarginalCase{"log_normal_below",
                     "log_normal",
                     {{"median", 1}, {"sigma_log", 1}, {"upper", 0.5}}}),
    [](const auto& one) { return std::string(one.param.label); });

}  // namespace
}  // namespace somafit
