// Exact posteriors of the benchmark's tasks against published reference draws.
// A program of its own, since it is skipped where the data are not there.

#include <cmath>

#include <gtest/gtest.h>

#include "server/posterior/c2st.h"
#include "server/posterior/sample_statistics.h"
#include "tests/support/sbi_tasks.h"

namespace somafit {
namespace {

// The first columns of n rows.
std::vector<double> FirstColumns(std::span<const double> rows, size_t width,
                                 size_t kept, size_t n) {
  std::vector<double> columns;
  for (size_t i = 0; i < n; ++i) {
    const auto row = rows.subspan(i * width, kept);
    columns.insert(columns.end(), row.begin(), row.end());
  }
  return columns;
}

class SbiReferenceTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto reference = ReadSbiReference(GetParam(), 1);
    if (absl::IsNotFound(reference.status())) {
      GTEST_SKIP() << reference.status().message();
    }
    ASSERT_TRUE(reference.ok()) << reference.status();
    reference_ = *std::move(reference);
  }
  SbiReference reference_;
};

TEST_P(SbiReferenceTest, PosteriorIsThePublishedOne) {
  ASSERT_NE(FindSbiTask(GetParam()), nullptr);
  const SbiTask& task = *FindSbiTask(GetParam());
  const size_t d = task.n_parameters();
  ASSERT_EQ(reference_.observation.size(), task.n_features());
  ASSERT_EQ(reference_.truth.size(), d);
  ASSERT_EQ(reference_.posterior.size(), 10'000 * d);
  if (task.has_posterior()) {
    const auto exact = ExactPosterior(task, reference_.observation, 1, 5000);
    // Tasks with more dimensions have independent ones.
    const size_t kept = std::min<size_t>(d, 2);
    const auto score =
        C2st(FirstColumns(reference_.posterior, d, kept, 5000),
             FirstColumns(exact, d, kept, 5000), kept, {.folds = 2});
    ASSERT_TRUE(score.ok()) << score.status();
    EXPECT_NEAR(score->score, 0.5, 0.025);
  }
  // What is simulated at reference draws looks like the observation.
  const size_t e = task.n_features();
  const auto x = SimulateAt(task, 1, reference_.posterior);
  const auto statistics = StatisticsOf(x, e);
  ASSERT_TRUE(statistics.ok());
  for (size_t k = 0; k < e; ++k) {
    const MarginalStatistics& one = statistics->marginals[k];
    EXPECT_LT(std::fabs(reference_.observation[k] - one.mean),
              4 * one.standard_deviation);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SbiReferenceTest,
                         testing::Values("two_moons", "gaussian_linear",
                                         "gaussian_mixture", "slcp",
                                         "bernoulli_glm"));

}  // namespace
}  // namespace somafit
