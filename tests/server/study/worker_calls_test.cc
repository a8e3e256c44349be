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

TEST_F(CoordinatorTest, SharesWorkersFairlyAmongFits) {
  Create(ExamplePlan("a", 100, 1));
  Create(ExamplePlan("b", 100, 1));
  const std::string session = Join("w");
  std::string order;
  for (const Task& task : Lease(session, 6)) order += task.fit.back();
  EXPECT_EQ(order, "ababab");
}

TEST_F(CoordinatorTest, ASilentWorkerLosesItsTasksToOthers) {
  Create(ExamplePlan("hh", 8, 1));
  const std::string silent = Join("silent");
  const auto tasks = Lease(silent, 9);
  const std::string other = Join("other");
  ASSERT_FALSE(tasks.empty());
  for (int i = 0; i < 6; ++i) {
    Pass(5);
    Effects effects;
    ASSERT_TRUE(coordinator_.Heartbeat(other, {}, now(), effects).ok());
  }
  EXPECT_THAT(Lease(other), IsEmpty());
  Pass(0.5);
  EXPECT_EQ(coordinator_.Workers(now()).at(1).state, "lost");
  const auto again = Lease(other, 99);
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].first_sample, 0);
  EXPECT_EQ(again[0].points[0], tasks[0].points[0]);
  // The late report wins where nobody was faster; the other's then repeats it.
  EXPECT_EQ(Report(ExampleReport(silent, tasks[0])), 0);
  int64_t repeated = 0;
  for (const Task& task : again) {
    repeated += Report(ExampleReport(other, task));
  }
  EXPECT_EQ(repeated, static_cast<int64_t>(tasks[0].points.size()));
  EXPECT_EQ(Get("hh").samples_done, 8);
  EXPECT_EQ(Get("hh").state, FitState::kSucceeded);
  EXPECT_EQ(coordinator_.Workers(now()).size(), 2u);
  Pass(91);
  EXPECT_THAT(coordinator_.Workers(now()), IsEmpty());
}

TEST_F(CoordinatorTest, NoWorkerIsLostWhileTheCoordinatorStoodStill) {
  Create(ExamplePlan("hh", 8, 1));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 1);
  Pass(1);
  time_s_ += 1000;
  Effects effects;
  coordinator_.Tick(now(), effects);
  EXPECT_THAT(
      *coordinator_.Heartbeat(session, {tasks[0].lease}, now(), effects),
      IsEmpty());
}

TEST_F(CoordinatorTest, FindsTheSampleThatKillsItsWorkers) {
  constexpr int64_t kPoison = 5;
  Create(ExamplePlan("hh", 16, 1));
  int losses = 0;
  for (int i = 0; Get("hh").state == FitState::kRunning; ++i) {
    ASSERT_LT(i, 100);
    const std::string session = Join("w");
    const auto tasks = Lease(session);
    ASSERT_EQ(tasks.size(), 1u);
    const int64_t first = tasks[0].first_sample;
    const auto n = static_cast<int64_t>(tasks[0].points.size());
    if (first <= kPoison && kPoison < first + n) {
      ++losses;
      Pass(31);
    } else {
      Report(ExampleReport(session, tasks[0]));
    }
  }
  const FitRecord fit = Get("hh");
  EXPECT_EQ(fit.samples_done, 16);
  EXPECT_EQ(fit.samples_failed, 1);
  EXPECT_LE(losses, 2 * 4 + 5);
}

TEST_F(CoordinatorTest, FailuresAreRetriedLaterThenRecorded) {
  FitPlan plan = ExamplePlan("hh", 4, 1);
  plan.spec.execution.max_attempts = 2;
  Create(plan);
  const std::string session = Join("w");
  auto fail = [&] {
    const auto tasks = Lease(session, 9);
    for (const Task& task : tasks) {
      Coordinator::Report report;
      report.session = session;
      report.lease = task.lease;
      report.fit = "fits/hh";
      report.failure = "out of memory";
      Report(report);
    }
    return tasks.size();
  };
  EXPECT_EQ(fail(), 1u);
  EXPECT_EQ(fail(), 0u);
  Pass(0.5);
  Effects unused;
  const auto tasks = Lease(session, 9);
  ASSERT_EQ(tasks.size(), 1u);
  Coordinator::Report report;
  report.session = session;
  report.lease = tasks[0].lease;
  report.fit = "hh";
  report.failure = "out of memory";
  Effects effects;
  ASSERT_TRUE(coordinator_.ReportResults(report, now(), effects).ok());
  ASSERT_EQ(Describe(effects.writes), "results:4 fit:RUNNING");
  const auto& results = std::get<ResultsRecord>(effects.writes[0]);
  EXPECT_EQ(results.samples[0].evaluation.status, SampleStatus::kFailed);
  EXPECT_EQ(results.samples[0].evaluation.reason,
            "given up after 2 attempts: out of memory");
  Follow(effects);
  EXPECT_EQ(Get("hh").state, FitState::kSucceeded);
  EXPECT_FALSE(Get("hh").best_sample);
}

TEST_F(CoordinatorTest, TakesOverdueTasksAway) {
  FitPlan plan = ExamplePlan("hh", 1, 1);
  plan.spec.execution = {.task_timeout_s = 10, .max_attempts = 1};
  Create(plan);
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  EXPECT_EQ(Hold(session, tasks[0].lease, 11), "results:1 fit:RUNNING");
  EXPECT_EQ(Get("hh").samples_failed, 1);
}

// A task that was leased ahead has its time from when the worker comes to it.
TEST_F(CoordinatorTest, WhatWasLeasedAheadIsNotOverdueYet) {
  FitPlan plan = ExamplePlan("hh", 32, 1);
  plan.spec.execution = {.task_timeout_s = 10, .max_attempts = 1};
  Create(plan);
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  ASSERT_EQ(tasks.size(), 2u);
  const auto held = [&] {
    Effects effects;
    const auto ended = coordinator_.Heartbeat(
        session, {tasks[0].lease, tasks[1].lease}, now(), effects);
    EXPECT_TRUE(ended.ok());
    return 2 - ended->size();
  };
  Pass(8);
  Report(ExampleReport(session, tasks[0]));
  Pass(8);
  EXPECT_EQ(held(), 1u);
  Pass(4);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(Get("hh").samples_failed, 0);
}

// What a worker had not begun is not why it died: with one attempt, its second
// task goes to another worker.
TEST_F(CoordinatorTest, WhatASilentWorkerHadNotBegunIsNotLost) {
  for (const char* name : {"hh", "other"}) {
    FitPlan plan = ExamplePlan(name, 1, 1);
    plan.spec.execution = {.task_timeout_s = 1000, .max_attempts = 1};
    Create(plan);
  }
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  ASSERT_EQ(tasks.size(), 2u);
  std::string written;
  Pass(100, &written);
  EXPECT_EQ(Get(tasks[0].fit).samples_failed, 1) << written;
  EXPECT_EQ(Get(tasks[1].fit).samples_failed, 0) << written;
  const auto again = Lease(Join("v"), 2);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].fit, tasks[1].fit);
}

TEST_F(CoordinatorTest, AFastWorkerGetsLargerTasks) {
  Create(ExamplePlan("hh", 100'000, 1));
  for (Effects more; Describe(more.writes) != "drawn:0:0@95232+4096";) {
    more = {};
    coordinator_.Advance(1, now(), more);
  }
  const std::string fast = Join("fast");
  const std::string slow = Join("slow");
  for (const auto& [session, per_second] :
       {std::pair(fast, 20'000.0), std::pair(slow, 1000.0)}) {
    const auto tasks = Lease(session);
    ASSERT_EQ(tasks.size(), 1u);
    Coordinator::Report report = ExampleReport(session, tasks[0]);
    report.microseconds = static_cast<int64_t>(
        1e6 * static_cast<double>(report.samples.size()) / per_second);
    Report(report);
  }
  EXPECT_EQ(Lease(fast).at(0).points.size(), 2000u);
  EXPECT_NEAR(static_cast<double>(Lease(slow).at(0).points.size()), 100, 16);
  // The speed of one fit says nothing of another's.
  Create(ExamplePlan("other", 1000, 1));
  const auto tasks = Lease(fast, 2);
  ASSERT_EQ(tasks.size(), 2u);
  const auto& of_other = tasks[0].fit == "fits/other" ? tasks[0] : tasks[1];
  EXPECT_EQ(of_other.points.size(), 32u);
}

TEST_F(CoordinatorTest, ALostWorkerFailsNoneOfManySamples) {
  FitPlan plan = ExamplePlan("hh", 4, 1);
  plan.spec.execution = {.task_timeout_s = 10, .max_attempts = 1};
  Create(plan);
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  ASSERT_GT(tasks[0].points.size(), 1u);
  EXPECT_EQ(Hold(session, tasks[0].lease, 11), "");
  EXPECT_EQ(Get("hh").samples_failed, 0);
  EXPECT_FALSE(Lease(session).empty());
}

TEST_F(CoordinatorTest, RefusesReportsForAnotherFitOfTheName) {
  Create(ExamplePlan("hh", 4, 1));
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  Coordinator::Report report;
  report.session = session;
  report.lease = "1_2_" + tasks[0].lease;
  report.fit = "hh";
  Effects effects;
  EXPECT_TRUE(absl::IsNotFound(
      coordinator_.ReportResults(report, now(), effects).status()));
  EXPECT_TRUE(effects.writes.empty());
}

TEST_F(CoordinatorTest, ReleasedTasksCountNoAttempt) {
  FitPlan plan = ExamplePlan("hh", 4, 1);
  plan.spec.execution.max_attempts = 1;
  Create(plan);
  const std::string session = Join("w");
  for (int i = 0; i < 5; ++i) {
    const auto tasks = Lease(session);
    ASSERT_EQ(tasks.size(), 1u);
    Effects effects;
    ASSERT_TRUE(
        coordinator_
            .Release(session, {tasks[0].lease, "unknown"}, now(), effects)
            .ok());
    EXPECT_TRUE(effects.work_available);
    EXPECT_THAT(effects.writes, IsEmpty());
  }
  Work(session);
  EXPECT_EQ(Get("hh").samples_failed, 0);
}

TEST_F(CoordinatorTest, RefusesReportsOfTheWrongShape) {
  Create(ExamplePlan("hh"));
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  Coordinator::Report report = ExampleReport(session, tasks[0]);
  report.samples[1].evaluation.trace_errors.push_back(0);
  Effects effects;
  EXPECT_EQ(coordinator_.ReportResults(report, now(), effects).status().code(),
            absl::StatusCode::kInvalidArgument);
  report = ExampleReport(session, tasks[0]);
  report.samples[0].evaluation.status = SampleStatus::kDrawn;
  EXPECT_EQ(coordinator_.ReportResults(report, now(), effects).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(effects.writes, IsEmpty());
  report = ExampleReport(session, tasks[0]);
  report.samples[0].sample = -1;
  report.samples[1].sample = 1'000'000;
  EXPECT_EQ(Report(report), 2);
}

TEST_F(CoordinatorTest, RefusesOtherNumericsAndUnknownSessions) {
  const auto refused =
      coordinator_.Register({"w", "h", "1", 1, kNumericsVersion + 1}, now());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(absl::StrCat("version ", kNumericsVersion + 1)));
  Effects effects;
  EXPECT_EQ(coordinator_.Lease("?", 1, now(), effects).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(coordinator_.Heartbeat("?", {}, now(), effects).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(coordinator_.Release("?", {}, now(), effects).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(CoordinatorTest, ShowsWhatWorkersDo) {
  Create(ExamplePlan("hh", 100, 1));
  const std::string session = Join("w", 4);
  EXPECT_EQ(coordinator_.Workers(now()).at(0).state, "idle");
  Lease(session);
  const WorkerView view = coordinator_.Workers(now()).at(0);
  EXPECT_EQ(view.state, "busy");
  EXPECT_EQ(view.activity, "fits/hh round 0, 48 samples");
}
}  // namespace
}  // namespace somafit
