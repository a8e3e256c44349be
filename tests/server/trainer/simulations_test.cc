// What comes from the wire and cannot be trained on.

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/convert/evaluation.h"
#include "server/trainer/trace_warnings.h"
#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A lab with 200 simulations of round 0 and quick trainings.
LinearLab Prepared(const std::string& algorithm = "tsnpe") {
  LinearLab lab(algorithm, "mdn");
  lab.problem().mutable_training()->set_max_num_epochs(2);
  lab.Simulate(0, lab.Draw(0, 200)->theta);
  return lab;
}

void ExpectRefused(LinearLab& lab, const std::string& why, int64_t round = 0) {
  const absl::Status status = lab.Train(round).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(why));
}

TEST(Simulations, WrongSizesAreRefused) {
  LinearLab lab = Prepared();
  lab.blocks.back().mutable_x()->RemoveLast();
  ExpectRefused(lab, "features, not with");
  lab = Prepared();
  lab.blocks.back().add_round(0);
  ExpectRefused(lab, "a block of 201 simulations");
}

TEST(Simulations, ParametersMustBeThoseOfThePrior) {
  LinearLab lab = Prepared();
  lab.blocks.back().set_theta(7, kNaN);
  ExpectRefused(lab, "simulation 3 has `E` = nan");
  lab = Prepared();
  lab.blocks.back().set_theta(6, 1.0);
  ExpectRefused(lab, "the prior does not allow the parameters of simulation 3");
  lab = Prepared();
  lab.blocks.back().set_round(5, -1);
  ExpectRefused(lab, "simulation 5 is of round -1");
}

TEST(Simulations, FailedOnesAreLeftOutInRoundZero) {
  LinearLab lab = Prepared();
  for (int i = 0; i < 20; ++i) lab.blocks.back().set_x(20 * i, kNaN);
  const auto outcome = lab.Train(0);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->summary.simulations(), 180);
  EXPECT_EQ(outcome->summary.invalid(), 20);
  EXPECT_THAT(outcome->summary.messages(),
              Contains(HasSubstr("20 of 200 simulations of round 0")));
}

TEST(Simulations, LaterFailuresAreAMistakeButForTruncatedProposals) {
  for (const std::string algorithm : {"npe_b", "tsnpe"}) {
    LinearLab lab = Prepared(algorithm);
    lab.estimators[0] = lab.Train(0)->estimators;
    lab.Simulate(1, lab.Draw(1, 100)->theta);
    lab.blocks.back().set_x(0, kNaN);
    if (algorithm == "npe_b") {
      ExpectRefused(lab, "1 of 100 simulations of round 1", 1);
      lab.problem().mutable_training()->set_invalid("exclude");
    }
    const auto outcome = lab.Train(1);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->summary.simulations(), 299);
  }
}

TEST(Simulations, NoneIsValid) {
  LinearLab lab = Prepared();
  for (int i = 0; i < 400; ++i) lab.blocks.back().set_x(i, kNaN);
  ExpectRefused(lab, "only 0 of 200");
}

TEST(Simulations, TooFew) {
  LinearLab lab("tsnpe", "mdn");
  ExpectRefused(lab, "only 0 of 0");
  lab.Simulate(0, lab.Draw(0, 9)->theta);
  ExpectRefused(lab, "only 9 of 9");
}

TEST(Simulations, ConstantFeaturesAndUnlikelyObservationsAreSaid) {
  LinearLab lab = Prepared();
  for (int i = 1; i < 400; i += 2) lab.blocks.back().set_x(i, 3);
  lab.problem().set_observation(0, 1e6);
  const auto outcome = lab.Train(0);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT(outcome->summary.messages(), Contains(HasSubstr("\"v_max\"")));
  EXPECT_THAT(outcome->summary.messages(),
              Contains(HasSubstr("2 of 2 features of the observation")));
}

TEST(Simulations, LaterRoundsAreNotLookedAt) {
  LinearLab lab = Prepared();
  const std::string bytes = lab.Train(0)->estimators;
  lab.Simulate(1, lab.Draw(0, 20)->theta);
  EXPECT_EQ(lab.Train(0)->estimators, bytes);
}

TEST(Simulations, EstimatorsOfAnotherProblemAreNotUsed) {
  LinearLab lab = Prepared();
  lab.Simulate(1, lab.Draw(0, 20)->theta);
  for (const std::string& bytes :
       {std::string("no estimators"), std::string()}) {
    lab.estimators[0] = bytes;
    EXPECT_TRUE(absl::IsDataLoss(lab.Train(1).status()));
    EXPECT_TRUE(absl::IsDataLoss(lab.Draw(1, 5).status()));
  }
  lab.estimators[0] = lab.Train(0)->estimators;
  lab.problem().add_features("more");
  lab.problem().add_observation(0);
  const absl::Status status = lab.Draw(1, 5).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// The lab's two features as two steps of a trace.
LinearLab Raw(const std::string& algorithm = "tsnpe") {
  LinearLab lab = Prepared(algorithm);
  v1::InferenceProblem& problem = lab.problem();
  problem.clear_features();
  v1::TraceColumns* const columns = problem.add_trace_columns();
  columns->set_name("v");
  columns->set_first_step(7);
  columns->set_every(2);
  columns->set_count(2);
  for (v1::SimulationBlock& block : lab.blocks) {
    const std::vector<float> x(block.x().begin(), block.x().end());
    block.set_raw_x(FloatBytes(x));
    block.clear_x();
  }
  return lab;
}

TEST(Simulations, RawTracesAreTrainedOn) {
  LinearLab lab = Raw(), same = Raw();
  const auto outcome = lab.Train(0);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT(outcome->summary.messages(),
              Contains(HasSubstr("two fully connected layers")));
  EXPECT_EQ(outcome->summary.simulations(), 200);
  EXPECT_EQ(same.Train(0)->estimators, outcome->estimators);
  // Rows without numbers are left out, the others stay where they are.
  const std::vector<float> nothing(2, std::numeric_limits<float>::quiet_NaN());
  for (v1::SimulationBlock& block : lab.blocks) {
    block.mutable_raw_x()->insert(0, FloatBytes(nothing));
    block.mutable_round()->Add(0);
    const double g = block.theta(0), e = block.theta(1);
    block.mutable_theta()->Add(0);
    block.mutable_theta()->Add(0);
    for (int i = block.theta_size() - 1; i >= 2; --i) {
      block.set_theta(i, block.theta(i - 2));
    }
    block.set_theta(0, g);
    block.set_theta(1, e);
  }
  const auto with_invalid = lab.Train(0);
  ASSERT_TRUE(with_invalid.ok()) << with_invalid.status();
  EXPECT_EQ(with_invalid->summary.invalid(), 1);
  EXPECT_EQ(with_invalid->estimators, outcome->estimators);
}

TEST(Simulations, RawTracesOfWrongSizesAreRefused) {
  LinearLab lab = Raw();
  lab.blocks.back().mutable_raw_x()->pop_back();
  ExpectRefused(lab, "numbers of traces, not with");
  lab = Raw();
  lab.blocks.back().add_x(1);
  ExpectRefused(lab, "numbers of traces, not with");
  lab = Prepared();
  lab.blocks.back().set_raw_x("abcd");
  ExpectRefused(lab, "features, not with");
}

TEST(Simulations, WarningsOfTraces) {
  TraceSegment v{.name = "v", .trace = 1, .count = 3};
  TraceSegment w{.name = "w", .output = 1, .count = 1};
  const XColumns columns(std::vector<TraceSegment>{v, w});
  std::vector<float> x;
  for (int i = 0; i < 20; ++i) {
    const auto value = static_cast<float>(i);
    x.insert(x.end(), {5, value, -value, 1e-9f * value});
  }
  // A constant first step and a little noise are as they should be.
  EXPECT_TRUE(
      TraceWarnings(columns, x, std::vector<double>{6, 20, 1, 0}).empty());
  auto warnings =
      TraceWarnings(columns, x, std::vector<double>{5, 50, -5, 1e-7});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("2 of 4 steps of the observation"));
  EXPECT_THAT(warnings[0],
              HasSubstr("`v[1][1]` = 50 (simulated: 0 to 19), `w[0][0]`"));
  for (size_t i = 0; i < x.size(); ++i) x[i] = x[i % 8];
  warnings = TraceWarnings(columns, x, std::vector<double>{5, 0, 0, 0});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("18 of 20 simulations have the traces"));
  for (size_t i = 0; i < x.size(); ++i) x[i] = x[i % 4];
  warnings = TraceWarnings(columns, x, std::vector<double>{5, 0, 0, 0});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("have the same traces"));
}

TEST(Simulations, DrawsWithinLimits) {
  LinearLab lab = Prepared();
  for (const int64_t n : {int64_t{0}, int64_t{-1}, int64_t{1} << 40}) {
    EXPECT_TRUE(absl::IsInvalidArgument(lab.Draw(0, n).status()));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(lab.Draw(-1, 5).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(lab.Draw(int64_t{1} << 40, 5).status()));
}

TEST(Simulations, HopelessDrawsEndWithAdvice) {
  LinearLab lab = Prepared("npe_b");
  lab.estimators[0] = lab.Train(0)->estimators;
  const auto problem = ReadProblem(lab.problem());
  ASSERT_TRUE(problem.ok());
  v1::DrawTask task;
  task.set_round(1);
  task.set_n(1000);
  Posteriors posteriors;
  // Another machine may be faster: that is no mistake of the task's.
  const absl::Status status =
      DoDraws(*problem, task, posteriors, lab.Run(), {.seconds = 0}).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("tsnpe"));
}

}  // namespace
}  // namespace somafit
