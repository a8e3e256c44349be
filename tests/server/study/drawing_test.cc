// Large rounds are drawn and written in slices.

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/coordinator_fixture.h"
#include "tests/server/study/example_fit.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(CoordinatorTest, ALargeRoundIsLeasedWhileItIsWritten) {
  Effects effects;
  ASSERT_TRUE(
      coordinator_
          .CreateFit(ExamplePlan("hh", 6000, 1), ExampleModel(), now(), effects)
          .ok());
  EXPECT_EQ(Describe(effects.writes),
            "model new stage:0:0 event1:RUNNING round:0:0@0+1024 fit:RUNNING");
  ASSERT_EQ(effects.advance.size(), 1u);
  const auto& first = std::get<RoundRecord>(effects.writes[4]);
  EXPECT_EQ(first.n_to_come, 4976);
  // Only what is on its way to the disk is handed out or recorded.
  const std::string session = Join("w", 1000);
  const auto tasks = Lease(session, 9);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].points.size(), 1024u);
  Coordinator::Report report = ExampleReport(session, tasks[0]);
  report.samples[0].sample = 1024;
  EXPECT_EQ(Report(report), 1);
  Effects more;
  coordinator_.Advance(1, now(), more);
  EXPECT_EQ(Describe(more.writes), "drawn:0:0@1024+4096");
  EXPECT_TRUE(more.work_available);
  EXPECT_EQ(more.advance.size(), 1u);
  // A fit that no longer runs is drawn to the end first.
  Effects paused;
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), paused).ok());
  EXPECT_EQ(Describe(paused.writes),
            "drawn:0:0@5120+880 event2:PAUSED(USER) fit:PAUSED");
  Effects nothing;
  coordinator_.Advance(1, now(), nothing);
  EXPECT_THAT(nothing.writes, IsEmpty());
  ASSERT_TRUE(coordinator_.ResumeFit("hh", now(), effects).ok());
  EXPECT_EQ(Work(session).size(), 1u);
  EXPECT_EQ(Get("hh").samples_done, 6000);
}

TEST_F(CoordinatorTest, CancellingDrawsTheRestFirst) {
  Effects effects;
  ASSERT_TRUE(
      coordinator_
          .CreateFit(ExamplePlan("hh", 6000, 1), ExampleModel(), now(), effects)
          .ok());
  Effects cancelled;
  ASSERT_TRUE(coordinator_.CancelFit("hh", now(), cancelled).ok());
  EXPECT_EQ(Describe(cancelled.writes),
            "drawn:0:0@1024+4096 drawn:0:0@5120+880 cancelled "
            "event2:CANCELLED(USER) fit:CANCELLED");
}

// As read back after a kill between two slices.
TEST_F(CoordinatorTest, DrawsTheRestOfARoundAfterARestart) {
  Effects before;
  ASSERT_TRUE(
      coordinator_
          .CreateFit(ExamplePlan("hh", 6000, 2), ExampleModel(), now(), before)
          .ok());
  Effects second;
  coordinator_.Advance(1, now(), second);
  StoredFit stored;
  stored.fit = Get("hh");
  stored.stages = {std::get<StageRecord>(before.writes[2])};
  StoredRound round{std::get<RoundRecord>(before.writes[4]), {}};
  round.evaluations.resize(round.round.points.size());
  stored.open_rounds = {round};
  const auto recover = [&](Coordinator& coordinator) {
    Effects effects;
    EXPECT_TRUE(coordinator
                    .Recover(
                        {stored}, 2,
                        [](const FitRecord&) -> absl::StatusOr<FitPlan> {
                          return ExamplePlan("hh", 6000, 2);
                        },
                        now(), effects)
                    .ok());
    return effects;
  };
  Coordinator restarted({.lease_s = 30}, [] { return "lease"; });
  const Effects effects = recover(restarted);
  EXPECT_THAT(effects.advance, ElementsAre(1));
  Effects more;
  restarted.Advance(1, now(), more);
  ASSERT_EQ(Describe(more.writes), "drawn:0:0@1024+4096");
  const auto& drawn = std::get<DrawnSamples>(second.writes[0]);
  const auto& again = std::get<DrawnSamples>(more.writes[0]);
  EXPECT_EQ(again.points, drawn.points);
  EXPECT_EQ(again.unit_points, drawn.unit_points);
  // A server that draws other samples must not go on.
  stored.open_rounds[0].round.points[7][0] *= 1.5;
  Coordinator other({.lease_s = 30}, [] { return "lease"; });
  const Effects failed = recover(other);
  EXPECT_THAT(failed.advance, IsEmpty());
  const auto fit = other.GetFit("hh", now());
  EXPECT_EQ(fit->state, FitState::kFailed);
  EXPECT_THAT(fit->reason, HasSubstr("draws other samples"));
  EXPECT_EQ(fit->next_sample, 1024);
}

}  // namespace
}  // namespace somafit
