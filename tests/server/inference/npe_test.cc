// Posteriors at small budgets against published figures, by the published
// protocol with fewer draws. A program of its own, since it is skipped where
// the data are not there.

#include <gtest/gtest.h>

#include "tests/support/npe_score.h"

namespace somafit {
namespace {

struct Case {
  const char* task;
  const char* net;
  // Mean of ten observations at 1000 simulations, J.-M. Lueckmann et al.
  // (2021), and two standard errors of a mean over the observations looked at
  // here.
  double published, two_errors;
};

class NpeTest : public testing::TestWithParam<Case> {};

TEST_P(NpeTest, IsNoWorseThanPublished) {
  const Case& each = GetParam();
  NpeScoreOptions options;
  options.net = each.net;
  options.simulations = 1000;
  options.draws = 4000;
  options.folds = 2;
  options.observations = {1, 2, 3, 4};
  const auto score = ScoreNpe(*FindSbiTask(each.task), options);
  if (absl::IsNotFound(score.status())) {
    GTEST_SKIP() << score.status().message();
  }
  ASSERT_TRUE(score.ok()) << score.status();
  RecordProperty("c2st", std::to_string(score->mean));
  std::printf("%s %s: %.3f, published %.3f\n", each.task, each.net, score->mean,
              each.published);
  EXPECT_LT(score->mean, each.published + each.two_errors);
  // Draws that are told from the reference no better than by chance would mean
  // a mistake of the test.
  EXPECT_GT(score->mean, 0.49);
}

INSTANTIATE_TEST_SUITE_P(
    SmallBudgets, NpeTest,
    testing::Values(Case{"two_moons", "nsf", 0.725, 0.06},
                    Case{"gaussian_linear", "maf", 0.694, 0.04},
                    Case{"gaussian_mixture", "nsf", 0.731, 0.06}),
    [](const testing::TestParamInfo<Case>& each) {
      return std::string(each.param.task) + "_" + each.param.net;
    });

}  // namespace
}  // namespace somafit
