// Fits that go on after their end.
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/coordinator_fixture.h"
#include "tests/server/study/example_fit.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

class ContinuationTest : public CoordinatorTest {
 protected:
  // The points of every sample that is worked on from now on.
  std::vector<std::vector<double>> WorkPoints(const std::string& session) {
    std::vector<std::vector<double>> points;
    while (true) {
      const auto tasks = Lease(session);
      if (tasks.empty()) return points;
      points.insert(points.end(), tasks[0].points.begin(),
                    tasks[0].points.end());
      iterations_.push_back(tasks[0].iteration);
      Report(ExampleReport(session, tasks[0]));
    }
  }

  // As the store has it: the last snapshot that was written.
  std::string SnapshotOf(const FitPlan& plan,
                         const std::vector<std::vector<double>>& points,
                         int64_t n_samples) {
    const auto optimizer = MakeOptimizer(plan);
    for (size_t first = 0; first < points.size(); first += n_samples) {
      RandomStream random(plan.spec.seed, StreamPurpose::kOptimizer, 0,
                          static_cast<uint32_t>(first / n_samples));
      const auto unit = optimizer->Ask(n_samples, random);
      std::vector<Told> told;
      for (int64_t i = 0; i < n_samples; ++i) {
        const Evaluation seen = ExampleEvaluation(points[first + i]);
        told.push_back(
            {unit[i], seen.status == SampleStatus::kOk
                          ? seen.total_error
                          : std::numeric_limits<double>::infinity()});
      }
      optimizer->Tell(told);
    }
    return optimizer->Snapshot();
  }

  absl::StatusOr<FitRecord> Continue(const std::string& name, FitPlan plan,
                                     bool restart, std::string snapshot = "") {
    const FitRecord fit = Get(name);
    Effects effects;
    auto continued = coordinator_.ContinueFit(name,
                                              {.plan = std::move(plan),
                                               .restart = restart,
                                               .snapshot = std::move(snapshot),
                                               .fit = fit.id,
                                               .stage = fit.stage,
                                               .rounds = fit.rounds},
                                              now(), effects);
    written_ = Describe(effects.writes);
    Follow(effects);
    return continued;
  }

  std::vector<int64_t> iterations_;
  std::string written_;
};

// 2 rounds and 3 more are the same samples as 5.
TEST_F(ContinuationTest, GoesOnAsIfItHadNotEnded) {
  const std::string session = Join("w");
  Create(ExamplePlan("whole", 16, 5));
  const auto whole = WorkPoints(session);
  ASSERT_EQ(whole.size(), 80u);
  Create(ExamplePlan("parts", 16, 2));
  auto parts = WorkPoints(session);
  ASSERT_EQ(parts.size(), 32u);
  const std::string snapshot =
      SnapshotOf(ExamplePlan("parts", 16, 2), parts, 16);
  iterations_.clear();
  const auto continued =
      Continue("parts", ExamplePlan("", 16, 3), false, snapshot);
  ASSERT_TRUE(continued.ok()) << continued.status();
  EXPECT_EQ(written_, "changed event5:RUNNING round:0:2@32+16 fit:RUNNING");
  EXPECT_EQ(continued->name, "parts");
  EXPECT_EQ(continued->spec.stop.rounds, 5);
  const auto more = WorkPoints(session);
  parts.insert(parts.end(), more.begin(), more.end());
  EXPECT_EQ(parts, whole);
  EXPECT_EQ(iterations_, (std::vector<int64_t>{2, 3, 4}));
  const FitRecord done = Get("parts"), once = Get("whole");
  EXPECT_EQ(done.rounds, 5);
  EXPECT_EQ(done.best_sample, once.best_sample);
  EXPECT_EQ(done.best_error, once.best_error);
  EXPECT_EQ(done.stage, 0);
}

TEST_F(ContinuationTest, ARestartIsAStageOfItsOwn) {
  const std::string session = Join("w");
  Create(ExamplePlan("fit", 16, 2));
  const auto first = WorkPoints(session);
  FitPlan plan = ExamplePlan("", 10, 1);
  plan.space = ParameterSpace(
      {{"gl", kNoDimension, 2e-9, 3e-9}, {"Cm", kNoDimension, 1, 1}});
  plan.spec.start_iteration = 17;
  iterations_.clear();
  const auto restarted = Continue("fit", plan, true);
  ASSERT_TRUE(restarted.ok()) << restarted.status();
  EXPECT_EQ(written_,
            "stage:1:0 changed event5:RUNNING round:1:0@32+10 fit:RUNNING");
  EXPECT_EQ(restarted->stage, 1);
  EXPECT_EQ(restarted->rounds, 0);
  EXPECT_FALSE(restarted->best_sample);
  EXPECT_EQ(restarted->parameters[1].lower, 1);
  const auto second = WorkPoints(session);
  ASSERT_EQ(second.size(), 10u);
  for (const auto& point : second) {
    EXPECT_GE(point[0], 2e-9);
    EXPECT_LE(point[0], 3e-9);
    EXPECT_EQ(point[1], 1);
  }
  EXPECT_EQ(iterations_, (std::vector<int64_t>{17}));
  const FitRecord done = Get("fit");
  EXPECT_EQ(done.state, FitState::kSucceeded);
  EXPECT_GE(*done.best_sample, 32);
  EXPECT_EQ(done.samples_done, 42);
}

TEST_F(ContinuationTest, OnlyAFitThatEndedBetweenRounds) {
  const std::string session = Join("w");
  Create(ExamplePlan("fit", 16, 2));
  const auto running = Continue("fit", ExamplePlan("", 16, 2), true);
  EXPECT_EQ(running.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(running.status().message()), HasSubstr("has ended"));
  Effects effects;
  ASSERT_TRUE(coordinator_.CancelFit("fit", now(), effects).ok());
  const auto cancelled = Continue("fit", ExamplePlan("", 16, 2), false);
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(cancelled.status().message()), HasSubstr("restart"));
  EXPECT_TRUE(Continue("fit", ExamplePlan("", 16, 1), true).ok());
  EXPECT_EQ(WorkPoints(session).size(), 16u);
}

// The open round is the first of those that are asked for.
TEST_F(ContinuationTest, GoesOnFromAPause) {
  const std::string session = Join("w");
  Create(ExamplePlan("whole", 16, 4));
  const auto whole = WorkPoints(session);
  Create(ExamplePlan("fit", 16, 9));
  std::vector<std::vector<double>> points;
  for (int i = 0; i < 2; ++i) {
    const auto tasks = Lease(session);
    points.insert(points.end(), tasks[0].points.begin(), tasks[0].points.end());
    Report(ExampleReport(session, tasks[0]));
  }
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("fit", now(), effects).ok());
  ASSERT_EQ(Get("fit").rounds, 2);
  ASSERT_TRUE(Continue("fit", ExamplePlan("", 16, 2), false).ok());
  const auto more = WorkPoints(session);
  points.insert(points.end(), more.begin(), more.end());
  EXPECT_EQ(points, whole);
  EXPECT_EQ(Get("fit").state, FitState::kSucceeded);
  // With nothing more to do its round is ended all the same, so that it can be
  // continued again.
  Create(ExamplePlan("ends", 16, 9));
  Effects pausing;
  ASSERT_TRUE(coordinator_.PauseFit("ends", now(), pausing).ok());
  ASSERT_TRUE(Continue("ends", ExamplePlan("", 16, 0), false).ok());
  EXPECT_EQ(WorkPoints(session).size(), 16u);
  EXPECT_EQ(Get("ends").state, FitState::kSucceeded);
  EXPECT_EQ(Get("ends").rounds, 1);
  ASSERT_TRUE(Continue("ends", ExamplePlan("", 16, 1), false).ok());
  EXPECT_THAT(written_, HasSubstr("round:0:1@16"));
  WorkPoints(session);
  // A restart leaves what was open.
  Create(ExamplePlan("other", 16, 9));
  ASSERT_TRUE(coordinator_.PauseFit("other", now(), effects).ok());
  ASSERT_TRUE(Continue("other", ExamplePlan("", 16, 1), true).ok());
  EXPECT_THAT(written_, HasSubstr("cancelled stage:1:0"));
  EXPECT_EQ(WorkPoints(session).size(), 16u);
  EXPECT_EQ(Get("other").stage, 1);
}

TEST_F(ContinuationTest, StaysWithinWhatASpecMayHave) {
  const std::string session = Join("w");
  Create(ExamplePlan("fit", 16, 1));
  WorkPoints(session);
  FitPlan plan = ExamplePlan("", 16, kMaxStopRounds);
  plan.stop.evaluations = kMaxStopEvaluations;
  plan.stop.elapsed_s = 1e308;
  const auto fit = Continue("fit", plan, false);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->spec.stop.rounds, kMaxStopRounds);
  EXPECT_EQ(fit->spec.stop.evaluations, kMaxStopEvaluations);
  EXPECT_EQ(fit->spec.stop.time, "1e+15*second");
}

TEST_F(ContinuationTest, RefusesWhatItsTableDoesNotHave) {
  const std::string session = Join("w");
  Create(ExamplePlan("fit", 16, 1));
  WorkPoints(session);
  FitPlan plan = ExamplePlan("", 16, 1);
  plan.outputs.push_back({"w", kNoDimension});
  const auto refused = Continue("fit", plan, true);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("submit a fit of its own"));
  EXPECT_EQ(Get("fit").state, FitState::kSucceeded);
}

// Between the plan and the decision somebody else went on.
TEST_F(ContinuationTest, RefusesAPlanOfAnotherTime) {
  const std::string session = Join("w");
  Create(ExamplePlan("fit", 16, 1));
  WorkPoints(session);
  const FitRecord before = Get("fit");
  ASSERT_TRUE(Continue("fit", ExamplePlan("", 16, 1), true).ok());
  WorkPoints(session);
  Effects effects;
  const auto late = coordinator_.ContinueFit("fit",
                                             {.plan = ExamplePlan("", 16, 1),
                                              .restart = true,
                                              .snapshot = "",
                                              .fit = before.id,
                                              .stage = before.stage,
                                              .rounds = before.rounds},
                                             now(), effects);
  EXPECT_EQ(late.status().code(), absl::StatusCode::kAborted);
}

TEST_F(ContinuationTest, StartsAreTheFirstSamples) {
  const std::string session = Join("w");
  FitPlan plan = ExamplePlan("fit", 16, 2);
  plan.starts = {{0, 0, 5e-9}, {0, 1, 0.25}, {1, 0, 9e-8}, {40, 0, 1e-9}};
  Create(plan);
  const auto points = WorkPoints(session);
  ASSERT_EQ(points.size(), 32u);
  EXPECT_EQ(points[0], (std::vector<double>{5e-9, 0.25}));
  EXPECT_EQ(points[1][0], 9e-8);
  EXPECT_NE(points[16][0], 5e-9);
}

}  // namespace
}  // namespace somafit
