#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/coordinator_fixture.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TraceCallsTest : public CoordinatorTest {
 protected:
  static TraceRequest::Order Order(size_t n_points, size_t n_steps = 10) {
    TraceRequest::Order order;
    for (size_t i = 0; i < n_points; ++i) {
      order.task.points.push_back({static_cast<double>(i), 1});
    }
    order.task.parameters = {"gl", "Cm"};
    order.task.recorded = {"v", "m"};
    order.shape = RecordingShape(2, {n_steps, n_steps});
    return order;
  }

  int64_t Request(const std::string& fit, TraceRequest::Order order) {
    Effects effects;
    const auto id = coordinator_.RequestTraces(fit, std::move(order), effects);
    EXPECT_TRUE(id.ok()) << id.status();
    EXPECT_TRUE(effects.work_available);
    EXPECT_THAT(effects.writes, IsEmpty());
    return id.value_or(0);
  }

  // Recordings that hold their point's first parameter.
  static std::vector<Recording> Found(const Task& task, size_t size = 40) {
    std::vector<Recording> recordings;
    for (const auto& point : task.points) {
      recordings.emplace_back(size, point[0]);
    }
    return recordings;
  }

  absl::Status Record(const std::string& session, const Task& task) {
    Effects effects;
    const absl::Status status = coordinator_.ReportTraces(
        session, task.lease, Found(task), now(), effects);
    EXPECT_THAT(effects.writes, IsEmpty());
    news_ = effects.trace_requests;
    return status;
  }

  std::string Fail(const std::string& session, const Task& task) {
    Coordinator::Report report;
    report.session = session;
    report.lease = task.lease;
    report.fit = task.fit;
    report.failure = "out of memory";
    Report(report);
    return reported_;
  }

  // The recordings that can be taken, by their number; ends at a gap.
  std::vector<double> TakeAll(int64_t request) {
    std::vector<double> taken;
    while (true) {
      auto next = coordinator_.NextRecording(request);
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok() || !next->has_value()) return taken;
      taken.push_back((**next)[0]);
    }
  }

  std::vector<int64_t> news_;
};

TEST_F(TraceCallsTest, RecordsInAnyOrderAndHandsOnInOrder) {
  Create(ExamplePlan("hh", 4, 0));
  const int64_t request = Request("hh", Order(40));
  const std::string session = Join("w");
  Join("other", 3);
  const auto tasks = Lease(session, 64);
  ASSERT_GT(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].fit, "fits/hh");
  EXPECT_THAT(tasks[0].recorded, ElementsAre("v", "m"));
  EXPECT_THAT(TakeAll(request), IsEmpty());
  EXPECT_TRUE(Record(session, tasks[1]).ok());
  EXPECT_THAT(news_, ElementsAre(request));
  EXPECT_THAT(TakeAll(request), IsEmpty());
  EXPECT_TRUE(Record(session, tasks[0]).ok());
  const auto taken = TakeAll(request);
  EXPECT_EQ(taken.size(), tasks[0].points.size() + tasks[1].points.size());
  for (size_t i = 0; i < taken.size(); ++i) {
    EXPECT_EQ(taken[i], static_cast<double>(i));
  }
  // Nobody waits for it a second time.
  EXPECT_TRUE(absl::IsNotFound(Record(session, tasks[0])));
  EXPECT_THAT(coordinator_.Workers(now()).at(1).activity,
              HasSubstr("fits/hh traces"));
}

TEST_F(TraceCallsTest, TakesTurnsWithRounds) {
  Create(ExamplePlan("hh", 1000, 1));
  const int64_t request = Request("hh", Order(1000));
  Request("hh", Order(1000));
  Join("others", 100);
  // What a worker gets that asks for several tasks: of the round no more than
  // its share.
  const auto turns = [this](const std::string& session) {
    std::string kinds;
    for (const Task& task : Lease(session, 4)) {
      kinds += task.recorded.empty() ? 'r' : 't';
    }
    return kinds;
  };
  EXPECT_EQ(turns(Join("a")), "trtt");
  EXPECT_EQ(turns(Join("b")), "rttt");
  coordinator_.EndTraceRequest(request);
  EXPECT_EQ(turns(Join("c")), "rttt");
}

TEST_F(TraceCallsTest, WorksForAFitThatHasEnded) {
  Create(ExamplePlan("hh", 4, 1));
  const std::string session = Join("w");
  Work(session);
  ASSERT_EQ(Get("hh").state, FitState::kSucceeded);
  const int64_t request = Request("hh", Order(3));
  for (auto tasks = Lease(session); !tasks.empty(); tasks = Lease(session)) {
    EXPECT_TRUE(Record(session, tasks[0]).ok());
  }
  EXPECT_THAT(TakeAll(request), ElementsAre(0, 1, 2));
  EXPECT_EQ(Get("hh").samples_done, 4);
}

TEST_F(TraceCallsTest, ALostWorkersTaskGoesToAnother) {
  Create(ExamplePlan("hh", 4, 0));
  const int64_t request = Request("hh", Order(3));
  const std::string silent = Join("silent");
  const auto lost = Lease(silent, 9);
  Pass(31);
  EXPECT_TRUE(absl::IsNotFound(Record(silent, lost[0])));
  const std::string other = Join("other");
  for (const Task& task : Lease(other, 9)) {
    EXPECT_TRUE(Record(other, task).ok());
  }
  EXPECT_THAT(TakeAll(request), ElementsAre(0, 1, 2));
}

TEST_F(TraceCallsTest, APointThatKillsItsWorkersEndsTheRequest) {
  Create(ExamplePlan("hh", 4, 0));
  const int64_t request = Request("hh", Order(16));
  for (int losses = 0;; ++losses) {
    ASSERT_LT(losses, 40);
    const std::string session = Join("w");
    const auto tasks = Lease(session);
    if (tasks.empty()) break;
    const auto first = static_cast<int64_t>(tasks[0].points[0][0]);
    const auto n = static_cast<int64_t>(tasks[0].points.size());
    if (first <= 5 && 5 < first + n) {
      Pass(31);
    } else {
      EXPECT_TRUE(Record(session, tasks[0]).ok());
    }
  }
  const absl::Status why = coordinator_.NextRecording(request).status();
  EXPECT_TRUE(absl::IsAborted(why)) << why;
  EXPECT_THAT(std::string(why.message()),
              HasSubstr("point 5 could not be simulated, given up after 5 "
                        "attempts: the worker fell silent"));
}

TEST_F(TraceCallsTest, FailuresAreTriedLaterThenHandedOn) {
  FitPlan plan = ExamplePlan("hh", 4, 0);
  plan.spec.execution.max_attempts = 2;
  Create(plan);
  const int64_t request = Request("hh", Order(1));
  const std::string session = Join("w");
  auto tasks = Lease(session);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(Fail(session, tasks[0]), "") << "nothing is recorded for ever";
  EXPECT_THAT(Lease(session), IsEmpty());
  EXPECT_THAT(TakeAll(request), IsEmpty());
  Pass(0.5);
  tasks = Lease(session);
  ASSERT_EQ(tasks.size(), 1u);
  Fail(session, tasks[0]);
  EXPECT_THAT(
      std::string(coordinator_.NextRecording(request).status().message()),
      HasSubstr("given up after 2 attempts: out of memory"));
  EXPECT_THAT(Lease(session), IsEmpty());
}

TEST_F(TraceCallsTest, OverdueTasksAreTakenAway) {
  FitPlan plan = ExamplePlan("hh", 4, 0);
  plan.spec.execution = {.task_timeout_s = 10, .max_attempts = 1};
  Create(plan);
  const int64_t request = Request("hh", Order(1));
  const std::string session = Join("w");
  Lease(session);
  for (int i = 0; i < 11; ++i) {
    Pass(1);
    Effects effects;
    ASSERT_TRUE(coordinator_.Heartbeat(session, {}, now(), effects).ok());
  }
  EXPECT_THAT(
      std::string(coordinator_.NextRecording(request).status().message()),
      HasSubstr("longer than task_timeout"));
}

TEST_F(TraceCallsTest, WhoLeavesTakesTheLeasesAway) {
  Create(ExamplePlan("hh", 4, 0));
  const int64_t request = Request("hh", Order(9));
  const std::string session = Join("w");
  const auto tasks = Lease(session);
  Effects effects;
  EXPECT_THAT(
      *coordinator_.Heartbeat(session, {tasks[0].lease}, now(), effects),
      IsEmpty());
  coordinator_.EndTraceRequest(request);
  EXPECT_THAT(
      *coordinator_.Heartbeat(session, {tasks[0].lease}, now(), effects),
      ElementsAre(tasks[0].lease));
  EXPECT_TRUE(absl::IsNotFound(Record(session, tasks[0])));
  EXPECT_THAT(Lease(session), IsEmpty());
  EXPECT_EQ(coordinator_.Workers(now()).at(0).state, "idle");
  coordinator_.EndTraceRequest(request);
}

TEST_F(TraceCallsTest, PausesLeaveItAloneAndDeletionEndsIt) {
  Create(ExamplePlan("hh", 4, 9));
  const int64_t request = Request("hh", Order(1));
  const std::string session = Join("w");
  Effects effects;
  auto tasks = Lease(session);
  ASSERT_EQ(tasks[0].recorded.size(), 2u);
  ASSERT_TRUE(coordinator_.PauseFit("hh", now(), effects).ok());
  EXPECT_TRUE(Record(session, tasks[0]).ok());
  EXPECT_THAT(TakeAll(request), ElementsAre(0));
  const int64_t second = Request("hh", Order(1));
  tasks = Lease(session);
  ASSERT_TRUE(coordinator_.DeleteFit("hh", now(), effects).ok());
  EXPECT_THAT(effects.trace_requests, testing::Contains(second));
  EXPECT_THAT(
      std::string(coordinator_.NextRecording(second).status().message()),
      HasSubstr("fits/hh was deleted"));
  EXPECT_TRUE(absl::IsNotFound(Record(session, tasks[0])));
  EXPECT_THAT(Lease(session), IsEmpty());
}

TEST_F(TraceCallsTest, RefusesReportsOfTheWrongKindOrShape) {
  Create(ExamplePlan("hh", 4, 1));
  Request("hh", Order(2));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  ASSERT_EQ(tasks.size(), 2u);
  const Task& trace = tasks[tasks[0].recorded.empty() ? 1 : 0];
  const Task& round = tasks[tasks[0].recorded.empty() ? 0 : 1];
  Effects effects;
  const auto report = [&](const std::string& lease,
                          std::vector<Recording> recordings) {
    return coordinator_.ReportTraces(session, lease, std::move(recordings),
                                     now(), effects);
  };
  EXPECT_TRUE(absl::IsInvalidArgument(report(round.lease, Found(round))));
  EXPECT_TRUE(absl::IsInvalidArgument(report(trace.lease, {})));
  EXPECT_TRUE(absl::IsInvalidArgument(report(trace.lease, Found(trace, 41))));
  EXPECT_TRUE(absl::IsInvalidArgument(
      coordinator_.ReportResults(ExampleReport(session, trace), now(), effects)
          .status()));
  EXPECT_EQ(Get("hh").samples_done, 0);
  EXPECT_TRUE(report(trace.lease, Found(trace)).ok());
}

TEST_F(TraceCallsTest, BoundsWhatIsAskedFor) {
  Create(ExamplePlan("hh", 4, 0));
  Effects effects;
  const auto ask = [&](TraceRequest::Order order) {
    return coordinator_.RequestTraces("hh", std::move(order), effects).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(ask(Order(0))));
  EXPECT_TRUE(absl::IsInvalidArgument(ask(Order(kMaxTracePoints + 1))));
  const absl::Status much = ask(Order(10'000, 1000));
  EXPECT_TRUE(absl::IsInvalidArgument(much));
  EXPECT_THAT(std::string(much.message()),
              HasSubstr("10000 points x 2 traces x 2 outputs are 40000000 "
                        "numbers, but one request may ask for 16777216 at "
                        "most; ask for fewer points or outputs"));
  EXPECT_TRUE(absl::IsNotFound(
      coordinator_.RequestTraces("no", Order(1), effects).status()));
  // 128 MB each: the third is too much, until the first has sent enough.
  const int64_t first = Request("hh", Order(4'000, 1000));
  Request("hh", Order(4'000, 1000));
  EXPECT_TRUE(absl::IsResourceExhausted(ask(Order(4'000, 1000))));
  coordinator_.EndTraceRequest(first);
  EXPECT_TRUE(ask(Order(4'000, 1000)).ok());
}

TEST_F(TraceCallsTest, NoReportIsLargerThan16MiB) {
  Create(ExamplePlan("hh", 4, 0));
  Request("hh", Order(100, 30'000));  // about 1 MB each
  Request("hh", Order(1, 1'000'000));
  const std::string session = Join("w");
  const auto tasks = Lease(session, 2);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].points.size(), 17u);
  EXPECT_EQ(tasks[1].points.size(), 1u);
}

}  // namespace
}  // namespace somafit
