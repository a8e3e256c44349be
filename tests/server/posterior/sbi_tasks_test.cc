// The benchmark's tasks are right: their exact posteriors cannot be told from
// the published reference draws, and satisfy Bayes' rule.

#include "tests/support/sbi_tasks.h"

#include <cmath>

#include <gtest/gtest.h>

#include "server/posterior/c2st.h"
#include "server/posterior/sample_statistics.h"

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
  if (!task.has_posterior()) GTEST_SKIP() << "has no exact posterior";
  const size_t d = task.n_parameters(), e = task.n_features();
  constexpr int kN = 2000;
  const Simulations joint = SimulateFromPrior(task, 5, 0, 2 * kN);
  std::vector<double> first, second;
  for (int i = 0; i < 2 * kN; ++i) {
    const auto x = std::span(joint.x).subspan(i * e, e);
    auto& rows = i < kN ? first : second;
    if (i < kN) {
      rows.insert(rows.end(), joint.theta.begin() + i * d,
                  joint.theta.begin() + (i + 1) * d);
    } else {
      const auto theta = ExactPosterior(task, x, 100 + i, 1);
      rows.insert(rows.end(), theta.begin(), theta.end());
    }
    rows.insert(rows.end(), x.begin(), x.end());
  }
  const auto score = C2st(first, second, d + e, {.folds = 2});
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_NEAR(score->score, 0.5, 0.04);
}

TEST_P(SbiTaskTest, PosteriorIsThePublishedOne) {
  const SbiTask& task = *GetParam();
  if (!task.has_posterior()) GTEST_SKIP() << "has no exact posterior";
  const auto reference = ReadSbiReference(task.name(), 1);
  if (absl::IsNotFound(reference.status())) {
    GTEST_SKIP() << reference.status().message();
  }
  ASSERT_TRUE(reference.ok()) << reference.status();
  const size_t d = task.n_parameters();
  ASSERT_EQ(reference->observation.size(), task.n_features());
  ASSERT_EQ(reference->truth.size(), d);
  ASSERT_EQ(reference->posterior.size(), 10'000 * d);
  const auto exact = ExactPosterior(task, reference->observation, 1, 5000);
  const auto score = C2st(std::span(reference->posterior).first(5000 * d),
                          exact, d, {.folds = 2});
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_NEAR(score->score, 0.5, 0.025);
}

INSTANTIATE_TEST_SUITE_P(All, SbiTaskTest, testing::ValuesIn(AllSbiTasks()),
                         [](const auto& one) {
                           return std::string(one.param->name());
                         });

// The simulator has the reference posterior's parameters reproduce the
// observation.
TEST(SlcpTest, ReferenceDrawsPredictTheObservation) {
  const SbiTask& task = *FindSbiTask("slcp");
  const auto reference = ReadSbiReference("slcp", 1);
  if (absl::IsNotFound(reference.status())) {
    GTEST_SKIP() << reference.status().message();
  }
  ASSERT_TRUE(reference.ok()) << reference.status();
  const auto x = SimulateAt(task, 1, reference->posterior);
  const auto statistics = StatisticsOf(x, 8);
  ASSERT_TRUE(statistics.ok());
  for (int k = 0; k < 8; ++k) {
    const MarginalStatistics& one = statistics->marginals[k];
    EXPECT_LT(std::fabs(reference->observation[k] - one.mean),
              4 * one.standard_deviation);
  }
}

}  // namespace
}  // namespace somafit
