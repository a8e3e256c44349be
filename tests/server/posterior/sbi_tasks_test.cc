// The benchmark's tasks: draws are keyed, and exact posteriors obey Bayes'
// rule. sbi_reference_test.cc compares them with what is published.

#include "tests/support/sbi_tasks.h"

#include <gtest/gtest.h>

#include "server/posterior/c2st.h"

namespace somafit {
namespace {

class SbiTaskTest : public testing::TestWithParam<const SbiTask*> {};

TEST_P(SbiTaskTest, SimulationsAreAFunctionOfTheirNumber) {
  const SbiTask& task = *GetParam();
  const Simulations all = SimulateFromPrior(task, 3, 0, 20);
  const Simulations some = SimulateFromPrior(task, 3, 15, 5);
  EXPECT_TRUE(std::equal(some.x.begin(), some.x.end(),
                         all.x.begin() + 15 * task.n_features()));
  EXPECT_TRUE(std::equal(some.theta.begin(), some.theta.end(),
                         all.theta.begin() + 15 * task.n_parameters()));
  EXPECT_EQ(SimulateAt(task, 3, all.theta), all.x);
}

// Draw theta from the prior, x, then theta' from the posterior at x: theta' has
// the distribution of theta, and (theta', x) that of (theta, x).
TEST_P(SbiTaskTest, PosteriorIsBayes) {
  const SbiTask& task = *GetParam();
  if (!task.has_posterior()) return;
  const size_t d = task.n_parameters(), e = task.n_features();
  constexpr int kN = 2000;
  // Tasks with more have independent dimensions.
  constexpr size_t kDims = 2;
  const Simulations joint = SimulateFromPrior(task, 5, 0, 2 * kN);
  std::vector<double> first, second;
  for (int i = 0; i < 2 * kN; ++i) {
    const auto x = std::span(joint.x).subspan(i * e, e);
    auto& rows = i < kN ? first : second;
    if (i < kN) {
      rows.insert(rows.end(), joint.theta.begin() + i * d,
                  joint.theta.begin() + i * d + kDims);
    } else {
      const auto theta = ExactPosterior(task, x, 100 + i, 1);
      rows.insert(rows.end(), theta.begin(), theta.begin() + kDims);
    }
    rows.insert(rows.end(), x.begin(), x.begin() + kDims);
  }
  const auto score = C2st(first, second, 2 * kDims, {.folds = 2});
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_NEAR(score->score, 0.5, 0.04);
}

INSTANTIATE_TEST_SUITE_P(All, SbiTaskTest, testing::ValuesIn(AllSbiTasks()),
                         [](const auto& one) {
                           return std::string(one.param->name());
                         });

}  // namespace
}  // namespace somafit
