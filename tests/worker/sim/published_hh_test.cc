// The nine evaluations that the published fit's tutorial prints, and two known
// by an independent implementation.

#include "tests/support/published_hh.h"

#include <cmath>

#include <gtest/gtest.h>

#include "worker/sim/batch.h"

namespace somafit {
namespace {

class PublishedHhTest : public testing::Test {
 protected:
  void SetUp() override {
    std::optional<Dataset> dataset = ReadPublishedRecordings();
    if (!dataset.has_value()) {
      GTEST_SKIP() << "the recordings are not here: set SOMAFIT_SHARED";
    }
    ASSERT_TRUE(ValidateDataset(*dataset).ok()) << ValidateDataset(*dataset);
    dataset_ = std::make_shared<const Dataset>(*std::move(dataset));
  }

  std::shared_ptr<const Dataset> dataset_;
};

struct Case {
  double g_kd, g_na, gl, error;
};

TEST_F(PublishedHhTest, ReproducesThePublishedErrors) {
  const auto experiment =
      MakeExperiment(PublishedModel(false, "-65*mV"), dataset_, kPublishedDt,
                     {"gl", "g_na", "g_kd"}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<Case> cases = {
      {9.850944960633812e-05, 5.136956717618642e-05, 1.132001753695881e-07,
       0.00023112503428419085},
      {2.5885625978001192e-05, 5.994175009416155e-05, 1.132001753695881e-07,
       0.0001351283127819249},
      {2.358033085911261e-05, 5.2863196016834924e-05, 7.255743458079185e-08,
       8.600916130059129e-05},
      {2.013515980650059e-05, 4.5888592959196316e-05, 7.3254174819061e-08,
       5.704891495098806e-05},
      {9.666300621928093e-06, 3.471303670631636e-05, 2.6927249265934296e-08,
       3.237910401003197e-05},
      {8.037164838105382e-06, 2.155149445338687e-05, 1.9305129338706338e-08,
       1.080794896277778e-05},
      {7.161113899555702e-06, 2.2680883630214104e-05, 2.369859751788268e-08,
       4.527456021770018e-06},
      {7.471475084450997e-06, 2.3920164839406964e-05, 1.7956856689140395e-08,
       4.4765688852930405e-06},
      {6.511156620775884e-06, 2.209792671051356e-05, 1.368667359118384e-08,
       1.8105782339584402e-06},
  };
  std::vector<std::vector<double>> points;
  for (const Case& c : cases) points.push_back({c.gl, c.g_na, c.g_kd});
  points.push_back({1e-8, 2e-5, 6e-6});
  const auto evaluations = EvaluateBatch(*experiment, points, 2);
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ((*evaluations)[i].status, SampleStatus::kOk);
    EXPECT_NEAR((*evaluations)[i].total_error, cases[i].error,
                1e-9 * cases[i].error)
        << i;
  }
  // The parameters that the recordings were made with, to the digits known.
  EXPECT_NEAR(evaluations->back().total_error, 9.950799e-7, 5e-14);
  const double per_trace[] = {1.029888e-6, 1.028048e-6, 1.000529e-6, 9.31369e-7,
                              9.85565e-7};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(evaluations->back().trace_errors[i], per_trace[i], 6e-13);
  }
}

TEST_F(PublishedHhTest, ReproducesAnErrorWithAWindowAndAFreeCapacitance) {
  MetricSpec metric;
  metric.output = "v";
  metric.options = {{"t_start", "5*ms"}};
  const auto experiment =
      MakeExperiment(PublishedModel(true, "VT"), dataset_, kPublishedDt,
                     {"gl", "g_na", "g_kd", "Cm"}, {metric});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<std::vector<double>> points = {
      {5.2683644082576014e-08, 2.1510226912854076e-05, 6.352133831297902e-06,
       1.9806267104593407e-10}};
  const auto evaluations = EvaluateBatch(*experiment, points, 1);
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  EXPECT_NEAR((*evaluations)[0].total_error, 27.335309724632e-6,
              27.3e-6 * 1e-9);
}

}  // namespace
}  // namespace somafit
