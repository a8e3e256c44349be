#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/coordinator_fixture.h"
#include "tests/server/study/example_fit.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(CoordinatorTest, WritesAFitFromCreationToItsEnd) {
  const FitRecord fit = Create(ExamplePlan("hh", 20, 2));
  EXPECT_EQ(created_,
            "model new stage:0:0 event1:RUNNING round:0:0@0+20 fit:RUNNING");
  EXPECT_EQ(fit.next_sample, 20);
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].fit, "fits/hh");
  EXPECT_EQ(tasks[0].first_sample, 0);
  EXPECT_EQ(tasks[0].points.size(), 16u);
  EXPECT_EQ(tasks[0].parameters, (std::vector<std::string>{"gl", "Cm"}));
  Report(ExampleReport(session, tasks[0]));
  EXPECT_EQ(reported_, "results:16 fit:RUNNING");
  EXPECT_EQ(advanced_, "");
  EXPECT_THAT(
      Work(session),
      ElementsAre("stage:0:1 event2:round:0:0 round:0:1@20+20 fit:RUNNING",
                  "stage:0:2 event3:round:0:1 event4:SUCCEEDED(ROUNDS) "
                  "fit:SUCCEEDED"));
  const FitRecord done = Get("fits/hh");
  EXPECT_EQ(done.state, FitState::kSucceeded);
  EXPECT_EQ(done.rounds, 2);
  EXPECT_EQ(done.samples_done, 40);
  ASSERT_TRUE(done.best_sample);
  EXPECT_EQ(done.best_parameters.size(), 2u);
  EXPECT_EQ(done.best_error,
            ExampleEvaluation(done.best_parameters).total_error);
}

TEST_F(CoordinatorTest, StopsByTheRuleThatIsReachedFirst) {
  struct Case {
    std::string reason;
    StopRules stop;
    int64_t samples;
  };
  const std::vector<Case> cases = {
      {"ROUNDS",
       {.rounds = 2, .evaluations = 100, .target = {}, .elapsed_s = {}},
       20},
      {"EVALUATIONS",
       {.rounds = 9, .evaluations = 25, .target = {}, .elapsed_s = {}},
       25},
      {"EVALUATIONS",
       {.rounds = {}, .evaluations = 7, .target = {}, .elapsed_s = {}},
       7},
      {"TARGET",
       {.rounds = 9, .evaluations = 10, .target = 10, .elapsed_s = {}},
       10},
      {"TIME",
       {.rounds = 9, .evaluations = {}, .target = -1, .elapsed_s = 1e-9},
       10},
  };
  const std::string session = Join("w");
  for (size_t i = 0; i < cases.size(); ++i) {
    FitPlan plan = ExamplePlan(absl::StrCat("fit", i));
    plan.stop = cases[i].stop;
    Create(plan);
    time_s_ += 1;
    Work(session);
    const FitRecord fit = Get(plan.spec.name);
    EXPECT_EQ(fit.state, FitState::kSucceeded);
    EXPECT_EQ(fit.reason, cases[i].reason);
    EXPECT_EQ(fit.samples_done, cases[i].samples);
    EXPECT_EQ(fit.next_sample, cases[i].samples);
  }
}

TEST_F(CoordinatorTest, NoRoundsMeansSucceededAtOnce) {
  const FitRecord fit = Create(ExamplePlan("hh", 10, 0));
  EXPECT_EQ(fit.state, FitState::kSucceeded);
  EXPECT_EQ(created_,
            "model new stage:0:0 event1:RUNNING event2:SUCCEEDED(ROUNDS) "
            "fit:SUCCEEDED");
}

TEST_F(CoordinatorTest, NamesFits) {
  EXPECT_EQ(Create(ExamplePlan("fit-2")).name, "fit-2");
  EXPECT_EQ(Create(ExamplePlan("")).name, "fit-3");
  FitPlan labelled = ExamplePlan("");
  labelled.spec.label = "hh";
  auto seen = coordinator_.ValidateFit(labelled, now());
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->name, "hh-3");
  EXPECT_EQ(Create(labelled).name, "hh-3");
  Effects effects;
  const auto again = coordinator_.CreateFit(ExamplePlan("hh-3"), ExampleModel(),
                                            now(), effects);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  for (const char* bad : {"Fit", "1fit", "a b", "a/b", "ä"}) {
    EXPECT_EQ(coordinator_.ValidateFit(ExamplePlan(bad), now()).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(effects.writes, IsEmpty());
  EXPECT_EQ(coordinator_.GetFit("fits/x", now()).status().message(),
            "no fit is named \"fits/x\"; somafit list shows those there are");
  EXPECT_EQ(coordinator_.ListFits(1, 1, now()).at(0).name, "fit-3");
}

TEST_F(CoordinatorTest, GateHoldsEveryRoundButTheLast) {
  FitPlan plan = ExamplePlan("hh", 10, 2);
  plan.spec.gate.enabled = true;
  Create(plan);
  const std::string session = Join("w");
  EXPECT_THAT(Work(session),
              ElementsAre("stage:0:1 event2:round:0:0:gated event3:GATED "
                          "fit:GATED"));
  Effects effects;
  const auto wrong =
      coordinator_.AckRound("hh", 0, 1, GateAnswer::kContinue, now(), effects);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(wrong.status().message()),
              HasSubstr("waits for an answer to round 0 of stage 0, not to "
                        "round 1 of stage 0"));
  EXPECT_THAT(effects.writes, IsEmpty());
  ASSERT_TRUE(
      coordinator_.AckRound("hh", 0, 0, GateAnswer::kContinue, now(), effects)
          .ok());
  EXPECT_EQ(Describe(effects.writes),
            "event4:RUNNING round:0:1@10+10 fit:RUNNING");
  EXPECT_THAT(Work(session),
              ElementsAre("stage:0:2 event5:round:0:1 event6:SUCCEEDED(ROUNDS) "
                          "fit:SUCCEEDED"));
  EXPECT_EQ(
      coordinator_.AckRound("hh", 0, 1, GateAnswer::kContinue, now(), effects)
          .status()
          .code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST_F(CoordinatorTest, GateStopsOrTimesOut) {
  const std::string session = Join("w");
  for (const auto& [name, then] : std::map<std::string, GateTimeout>{
           {"a", GateTimeout::kPause}, {"b", GateTimeout::kContinue}}) {
    FitPlan plan = ExamplePlan(name, 10, 9);
    plan.spec.gate = {.enabled = true, .timeout_s = 5, .then = then};
    Create(plan);
  }
  Work(session);
  EXPECT_EQ(Get("a").state, FitState::kGated);
  Pass(4.5);
  EXPECT_EQ(Get("a").state, FitState::kGated);
  Pass(1);
  EXPECT_EQ(Get("a").state, FitState::kPaused);
  EXPECT_EQ(Get("a").reason, "GATE_TIMEOUT");
  EXPECT_EQ(Get("b").state, FitState::kRunning);
  Work(session);
  Effects effects;
  ASSERT_TRUE(
      coordinator_.AckRound("b", 0, 1, GateAnswer::kStop, now(), effects).ok());
  EXPECT_EQ(Describe(effects.writes), "event7:SUCCEEDED(USER) fit:SUCCEEDED");
  Effects resumed;
  ASSERT_TRUE(coordinator_.ResumeFit("a", now(), resumed).ok());
  EXPECT_EQ(Describe(resumed.writes),
            "event5:RUNNING round:0:1@10+10 fit:RUNNING");
}

TEST_F(CoordinatorTest, APausedFitRecordsButDoesNotAdvance) {
  Create(ExamplePlan("hh", 40, 2));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  ASSERT_EQ(tasks.size(), 2u);
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), effects).ok());
  EXPECT_EQ(Describe(effects.writes), "event2:PAUSED(USER) fit:PAUSED");
  EXPECT_THAT(Lease(session), IsEmpty());
  EXPECT_THAT(*coordinator_.Heartbeat(session, {tasks[0].lease, tasks[1].lease},
                                      now(), effects),
              IsEmpty());
  Report(ExampleReport(session, tasks[0]));
  EXPECT_EQ(reported_, "results:16 fit:PAUSED");
  Report(ExampleReport(session, tasks[1]));
  EXPECT_EQ(reported_, "results:16 fit:PAUSED");
  Effects resumed;
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), resumed).ok());
  EXPECT_THAT(resumed.advance, IsEmpty());
  Work(session, 1);
  EXPECT_EQ(advanced_,
            "stage:0:1 event4:round:0:0 round:0:1@40+40 fit:RUNNING");
}

TEST_F(CoordinatorTest, ResumingACompleteRoundAdvancesIt) {
  Create(ExamplePlan("hh", 4, 2));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 9);
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), effects).ok());
  for (const Task& task : tasks) Report(ExampleReport(session, task));
  EXPECT_EQ(Get("hh").samples_done, 4);
  Effects resumed;
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), resumed).ok());
  EXPECT_EQ(resumed.advance.size(), 1u);
  EXPECT_EQ(Follow(resumed),
            "stage:0:1 event4:round:0:0 round:0:1@4+4 fit:RUNNING");
}

TEST_F(CoordinatorTest, CancelsDrawnSamplesAndEndsLeases) {
  Create(ExamplePlan("hh", 18));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  Report(ExampleReport(session, tasks[0]));
  Effects effects;
  ASSERT_TRUE(coordinator_.CancelFit("hh", now(), effects).ok());
  EXPECT_EQ(Describe(effects.writes),
            "cancelled event2:CANCELLED(USER) fit:CANCELLED");
  EXPECT_TRUE(Get("hh").best_sample);
  EXPECT_THAT(
      *coordinator_.Heartbeat(session, {tasks[1].lease}, now(), effects),
      ElementsAre(tasks[1].lease));
  EXPECT_EQ(Report(ExampleReport(session, tasks[1])), 2);
  EXPECT_EQ(reported_, "");
  Effects deleted;
  ASSERT_TRUE(coordinator_.DeleteFit("fits/hh", now(), deleted).ok());
  EXPECT_EQ(Describe(deleted.writes), "deleted");
  EXPECT_EQ(coordinator_
                .ReportResults(ExampleReport(session, tasks[1]), now(), deleted)
                .status()
                .code(),
            absl::StatusCode::kNotFound);
}

TEST_F(CoordinatorTest, RefusesWrongTransitionsWithARemedy) {
  const std::string session = Join("w");
  Create(ExamplePlan("running"));
  Create(ExamplePlan("paused"));
  Create(ExamplePlan("ended", 10, 0));
  FitPlan gated_plan = ExamplePlan("gated", 4, 9);
  gated_plan.spec.gate.enabled = true;
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("running", now(), effects).ok());
  Create(gated_plan);
  ASSERT_TRUE(coordinator_.PauseFit("paused", now(), effects).ok());
  Work(session);
  ASSERT_TRUE(coordinator_.ResumeFit("running", now(), effects).ok());
  Effects none;
  auto pause = [&](const char* f) {
    return coordinator_.PauseFit(f, now(), none).status();
  };
  auto resume = [&](const char* f) {
    return coordinator_.ResumeFit(f, now(), none).status();
  };
  auto cancel = [&](const char* f) {
    return coordinator_.CancelFit(f, now(), none).status();
  };
  auto remove = [&](const char* f) {
    return coordinator_.DeleteFit(f, now(), none);
  };
  auto ack = [&](const char* f) {
    return coordinator_.AckRound(f, 0, 0, GateAnswer::kContinue, now(), none)
        .status();
  };
  auto evaluate = [&](const char* f) {
    return coordinator_
        .EvaluatePoints(f, ExamplePlan(f), {{1e-8, 1}}, now(), none)
        .status();
  };
  const std::vector<std::pair<absl::Status, std::string>> cases = {
      {pause("paused"), "fits/paused is PAUSED (USER): it is paused already"},
      {pause("ended"), "fits/ended is SUCCEEDED (ROUNDS): "},
      {resume("running"), "fits/running is RUNNING: only a paused fit"},
      {resume("gated"),
       "fits/gated is GATED: it waits for an answer to round 0"},
      {resume("ended"), "submit a new one"},
      {cancel("ended"), "it has ended already"},
      {remove("running"), "cancel it first"},
      {remove("gated"), "cancel it first"},
      {ack("running"), "no round waits for an answer"},
      {ack("paused"), "resume it to go on"},
      {evaluate("running"), "points can be evaluated once"},
      {evaluate("gated"), "points can be evaluated once"},
  };
  for (const auto& [status, words] : cases) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
  EXPECT_THAT(none.writes, IsEmpty());
}

TEST_F(CoordinatorTest, EvaluatesPointsInAStageOfTheirOwn) {
  Create(ExamplePlan("hh", 10, 1));
  const std::string session = Join("w");
  Work(session);
  const FitRecord before = Get("hh");
  Effects effects;
  const auto stage = coordinator_.EvaluatePoints(
      "hh", ExamplePlan("hh"), {{3e-8, 1.1}, {5e-8, -0.0}}, now(), effects);
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ(stage->stage, 1);
  EXPECT_EQ(stage->first_sample, 10);
  EXPECT_EQ(stage->count, 2);
  EXPECT_EQ(Describe(effects.writes),
            "stage:1:0 event4:RUNNING round:1:0@10+2 fit:RUNNING");
  EXPECT_THAT(Work(session),
              ElementsAre("stage:1:1 event5:round:1:0 "
                          "event6:SUCCEEDED(ROUNDS) fit:SUCCEEDED"));
  const FitRecord after = Get("hh");
  EXPECT_EQ(after.best_sample, before.best_sample);
  EXPECT_EQ(after.rounds, 1);
  EXPECT_EQ(after.stage, 0);
  EXPECT_EQ(after.n_stages, 2);
  EXPECT_EQ(after.next_sample, 12);
  EXPECT_EQ(after.elapsed_s, before.elapsed_s);
}

TEST_F(CoordinatorTest, EvaluationOfAPausedFitLeavesItsOpenRoundAlone) {
  Create(ExamplePlan("hh", 20, 1));
  const std::string session = Join("w");
  const auto held = Lease(session);
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), effects).ok());
  ASSERT_TRUE(coordinator_
                  .EvaluatePoints("hh", ExamplePlan("hh"), {{3e-8, 1.1}}, now(),
                                  effects)
                  .ok());
  const auto points = Lease(session, 9);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].first_sample, 20);
  Report(ExampleReport(session, held[0]));
  EXPECT_EQ(reported_, "results:16 fit:RUNNING");
  Report(ExampleReport(session, points[0]));
  EXPECT_EQ(advanced_,
            "stage:1:1 event4:round:1:0 event5:PAUSED(USER) "
            "fit:PAUSED");
  Effects resumed;
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), resumed).ok());
  EXPECT_THAT(Work(session),
              ElementsAre("stage:0:1 event7:round:0:0 event8:SUCCEEDED(ROUNDS) "
                          "fit:SUCCEEDED"));
}

TEST_F(CoordinatorTest, CancellingAnEvaluationReturnsToTheEnd) {
  Create(ExamplePlan("hh", 10, 0));
  Effects effects;
  ASSERT_TRUE(coordinator_
                  .EvaluatePoints("hh", ExamplePlan("hh"), {{3e-8, 1.1}}, now(),
                                  effects)
                  .ok());
  Effects cancelled;
  ASSERT_TRUE(coordinator_.CancelFit("hh", now(), cancelled).ok());
  EXPECT_EQ(Describe(cancelled.writes),
            "cancelled event4:SUCCEEDED(ROUNDS) fit:SUCCEEDED");
}

TEST_F(CoordinatorTest, RefusesPointsThatDoNotFit) {
  Create(ExamplePlan("hh", 10, 0));
  Effects effects;
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<std::vector<double>>> wrong = {
      {}, {{1}}, {{1, 2, 3}}, {{1, inf}}};
  for (const auto& points : wrong) {
    EXPECT_EQ(
        coordinator_
            .EvaluatePoints("hh", ExamplePlan("hh"), points, now(), effects)
            .status()
            .code(),
        absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(effects.writes, IsEmpty());
}

TEST_F(CoordinatorTest, BreaksTheCircuitOfAFitThatFails) {
  Create(ExamplePlan("hh", 100, 1));
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  Coordinator::Report report = ExampleReport(session, tasks[0]);
  for (size_t i = 0; i < report.samples.size(); ++i) {
    if (i % 4 != 0) {
      report.samples[i].evaluation.status = SampleStatus::kFailed;
    }
  }
  Report(report);
  EXPECT_EQ(reported_, "results:32 event2:PAUSED(BREAKER) fit:PAUSED");
  Effects effects;
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), effects).ok());
  Work(session);
  EXPECT_EQ(Get("hh").state, FitState::kSucceeded);
}

TEST_F(CoordinatorTest, CountsRunningTimeOnly) {
  Create(ExamplePlan("hh"));
  Pass(5);
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), effects).ok());
  Pass(100);
  EXPECT_NEAR(Get("hh").elapsed_s, 5, 1e-9);
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), effects).ok());
  Pass(2);
  EXPECT_NEAR(Get("hh").elapsed_s, 7, 1e-9);
}

TEST_F(CoordinatorTest, AFitOfOtherNumericsFailsOnRecovery) {
  StoredFit stored;
  stored.fit = FitRun::NewRecord(7, "old", ExamplePlan("old"), now());
  stored.fit.numerics_version = kNumericsVersion + 1;
  Effects effects;
  ASSERT_TRUE(coordinator_
                  .Recover(
                      {stored}, 8,
                      [](const FitRecord&) -> absl::StatusOr<FitPlan> {
                        return ExamplePlan("old");
                      },
                      now(), effects)
                  .ok());
  EXPECT_EQ(Get("old").state, FitState::kFailed);
  EXPECT_THAT(Get("old").reason, HasSubstr("numerics version"));
  EXPECT_THAT(Describe(effects.writes), HasSubstr("cancelled event1:FAILED"));
  EXPECT_EQ(Create(ExamplePlan("new")).id, 8);
}
}  // namespace
}  // namespace somafit
