#include "worker/agent/agent.h"

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "tests/worker/agent/fake_coordinator.h"

namespace somafit {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// An agent on a thread of its own.
class AgentTest : public testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void TearDown() override {
    if (thread_.joinable()) (void)Stop();
  }

  void Start(AgentOptions options = {}) {
    options.link.identity.name = "w";
    options.link.first_retry_s = 0.01;
    options.link.last_retry_s = 0.05;
    agent_ = std::make_unique<Agent>(
        options, [this]() -> absl::StatusOr<std::shared_ptr<CoordinatorPort>> {
          ++connections_;
          return coordinator_.NewPort();
        });
    thread_ = std::thread([this] { status_ = agent_->Run(); });
  }
  absl::Status Join() {
    thread_.join();
    return status_;
  }
  absl::Status Stop() {
    agent_->Stop();
    return Join();
  }

  FakeCoordinator coordinator_;
  std::atomic<int> connections_ = 0;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
  absl::Status status_;
};

TEST_F(AgentTest, SimulatesAndReports) {
  Start();
  for (int i = 0; i < 5; ++i) {
    coordinator_.Add(
        coordinator_.NewTask("lease" + std::to_string(i), {1e-8, 2e-8, 3e-8}));
  }
  ASSERT_TRUE(coordinator_.WaitForReports(5));
  EXPECT_TRUE(Stop().ok());
  const auto reports = coordinator_.reports();
  for (const TaskReport& report : reports) {
    EXPECT_EQ(report.failure, "");
    ASSERT_EQ(report.evaluations.size(), 3);
    EXPECT_EQ(report.evaluations[0].status, SampleStatus::kOk);
    EXPECT_GT(report.evaluations[0].total_error, 0);
    EXPECT_EQ(report.evaluations[2].total_error,
              reports[0].evaluations[2].total_error);
  }
  EXPECT_EQ(coordinator_.model_fetches(), 1) << "compiled once";
}

TEST_F(AgentTest, RecordsTracesWhereTheTaskAsksForThem) {
  Start();
  for (const char* lease : {"a", "b"}) {
    Task task = coordinator_.NewTask(lease, {1e-8, 2e-8, 3e-8});
    task.metrics.clear();
    task.recorded = {"v", "g"};
    coordinator_.Add(task);
  }
  Task task = coordinator_.NewTask("wrong", {1e-8});
  task.recorded = {"nothing"};
  coordinator_.Add(task);
  coordinator_.Add(coordinator_.NewTask("errors", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(4));
  EXPECT_TRUE(Stop().ok());
  const auto reports = coordinator_.reports();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(reports[i].failure, "");
    EXPECT_TRUE(reports[i].evaluations.empty());
    ASSERT_EQ(reports[i].recordings.size(), 3);
    EXPECT_EQ(reports[i].shape.size(), 100);
    for (const Recording& recording : reports[i].recordings) {
      ASSERT_EQ(recording.size(), 100);
      EXPECT_EQ(recording[0], -0.065);
      EXPECT_NE(recording[49], -0.065);
    }
    EXPECT_EQ(reports[i].recordings[2][99], 3e-8);
    EXPECT_EQ(reports[i].recordings, reports[0].recordings);
  }
  EXPECT_NE(reports[2].failure.find("no variable \"nothing\""),
            std::string::npos);
  EXPECT_EQ(reports[3].evaluations.size(), 1);
  EXPECT_EQ(coordinator_.model_fetches(), 3) << "one for each kind of task";
}

// A model may use the round's number; where traces are wanted there is none,
// and it is large.
// Tasks that differ in their features alone are experiments of their own.
TEST_F(AgentTest, MakesFeaturesWhereTheTaskAsksForThem) {
  const std::vector<std::vector<FeatureSpec>> all = {
      {{"v", "max", {}}},
      {{"v", "min", {}}},
      {{"v", "max", {{"t_end", "2*ms"}}}},
      {{"v", "min", {{"t_start", "2*ms"}}}},
      {{"v", "max", {}}, {"v", "min", {}}}};
  Start();
  for (const std::vector<FeatureSpec>& features : all) {
    Task task = coordinator_.NewTask("a", {1e-8, 2e-8});
    task.metrics.clear();
    task.features = features;
    coordinator_.Add(task);
    task.lease = "again";
    coordinator_.Add(task);
  }
  ASSERT_TRUE(coordinator_.WaitForReports(2 * all.size()));
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(coordinator_.model_fetches(), all.size()) << "compiled once each";
  const auto reports = coordinator_.reports();
  std::set<std::vector<double>> seen;
  for (size_t i = 0; i < reports.size(); ++i) {
    ASSERT_EQ(reports[i].failure, "");
    const Evaluation& first = reports[i].evaluations.at(0);
    EXPECT_EQ(first.status, SampleStatus::kOk);
    EXPECT_EQ(first.total_error, 0);
    EXPECT_EQ(first.output_errors.size(), all[i / 2].size());
    seen.insert(first.trace_errors);
    EXPECT_EQ(first.trace_errors,
              reports[i / 2 * 2].evaluations[0].trace_errors);
  }
  EXPECT_EQ(seen.size(), all.size());
}

TEST_F(AgentTest, TellsModelsTheRound) {
  coordinator_.UseEquations(
      "dv/dt = (g*(El - v) + I)/C + iteration*mV/ms : volt\n"
      "g : siemens (constant)\nw = v + iteration*mV : volt\nn = iteration : "
      "integer\n"
      "k = v_target + 0*v/(1 + iteration) : volt");
  Start();
  for (const int64_t round : {0, 7}) {
    Task task = coordinator_.NewTask("r" + std::to_string(round), {1e-8});
    task.iteration = round;
    coordinator_.Add(task);
  }
  Task task = coordinator_.NewTask("traces", {1e-8});
  task.iteration = kAfterAllRounds;
  task.metrics.clear();
  task.recorded = {"n"};
  coordinator_.Add(task);
  ASSERT_TRUE(coordinator_.WaitForReports(3));
  EXPECT_TRUE(Stop().ok());
  const auto reports = coordinator_.reports();
  for (const TaskReport& report : reports) EXPECT_EQ(report.failure, "");
  EXPECT_NE(reports[0].evaluations[0].total_error,
            reports[1].evaluations[0].total_error);
  ASSERT_EQ(reports[2].recordings.size(), 1u);
  EXPECT_EQ(reports[2].recordings[0][0], 1e9);
}

TEST_F(AgentTest, ABrokenTaskIsReportedAsSuch) {
  Start();
  Task task = coordinator_.NewTask("bad", {1e-8});
  task.parameters = {"no_such_parameter"};
  coordinator_.Add(task);
  coordinator_.Add(coordinator_.NewTask("good", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(2));
  EXPECT_TRUE(Stop().ok());
  EXPECT_NE(coordinator_.reports()[0].failure, "");
  EXPECT_TRUE(coordinator_.reports()[0].evaluations.empty());
  EXPECT_EQ(coordinator_.reports()[1].failure, "");
}

TEST_F(AgentTest, KeepsAReportUntilTheCoordinatorIsBack) {
  Start();
  ASSERT_TRUE(coordinator_.WaitForRegistrations(1));
  // Long enough that the coordinator is away before the report.
  coordinator_.Add(
      coordinator_.NewTask("lease", std::vector<double>(20'000, 1e-8)));
  std::this_thread::sleep_for(milliseconds(50));
  coordinator_.FailWith(absl::UnavailableError("away"));
  std::this_thread::sleep_for(milliseconds(1000));
  coordinator_.FailWith(absl::OkStatus());
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_TRUE(coordinator_.WaitForRegistrations(2));
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(coordinator_.reports().size(), 1);
  EXPECT_EQ(coordinator_.reports()[0].lease, "lease");
  EXPECT_GT(connections_, 2);
}

// Refused once, refused always: as a failure it counts as an attempt.
TEST_F(AgentTest, RefusedResultsComeBackAsAFailure) {
  coordinator_.RefuseReports(absl::InvalidArgumentError("3 samples of 2"), 1);
  Start();
  coordinator_.Add(coordinator_.NewTask("lease", {1e-8, 2e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_TRUE(Stop().ok());
  const TaskReport report = coordinator_.reports().at(0);
  EXPECT_EQ(report.failure,
            "the coordinator refused the results: 3 samples of 2");
  EXPECT_TRUE(report.evaluations.empty());
  EXPECT_EQ(coordinator_.registrations(), 1);
  EXPECT_TRUE(coordinator_.released().empty());
}

TEST_F(AgentTest, GivesBackWhatIsRefusedEvenAsAFailure) {
  coordinator_.RefuseReports(absl::InvalidArgumentError("no"), 2);
  Start();
  coordinator_.Add(coordinator_.NewTask("lease", {1e-8}));
  coordinator_.Add(coordinator_.NewTask("next", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(coordinator_.reports().at(0).lease, "next");
  EXPECT_EQ(coordinator_.released(), std::set<std::string>{"lease"});
}

TEST_F(AgentTest, KeepsAReportForWhichThereIsNoRoom) {
  coordinator_.RefuseReports(absl::ResourceExhaustedError("queue full"), 5);
  Start();
  coordinator_.Add(coordinator_.NewTask("lease", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(coordinator_.reports().at(0).failure, "");
  EXPECT_EQ(coordinator_.reports().at(0).evaluations.size(), 1);
  EXPECT_EQ(coordinator_.registrations(), 1) << "the connection is well";
}

// Otherwise nothing would be leased over the new connection until the wait over
// the lost one, which may last for minutes, ends.
TEST_F(AgentTest, WaitsNoLongerOverALostConnection) {
  Start();
  coordinator_.RefuseReports(absl::UnavailableError("reset"), 1);
  coordinator_.Add(coordinator_.NewTask("lease", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_EQ(coordinator_.stopped_waits(), 1);
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentTest, StopsWhileWaitingForACoordinator) {
  coordinator_.FailWith(absl::UnavailableError("never"));
  Start();
  std::this_thread::sleep_for(milliseconds(50));
  const auto begin = Clock::now();
  EXPECT_TRUE(Stop().ok());
  EXPECT_LT(Clock::now() - begin, seconds(2));
}

TEST_F(AgentTest, GivesUpWhenItIsRefused) {
  for (const absl::Status& refusal :
       {absl::UnauthenticatedError("the token is wrong"),
        absl::FailedPreconditionError("other numerics")}) {
    coordinator_.FailWith(refusal);
    Start();
    EXPECT_EQ(Join(), refusal);
  }
}

TEST_F(AgentTest, GivesUpATaskThatHasEnded) {
  coordinator_.UseLongTraces();  // these would take minutes
  Start();
  coordinator_.Add(
      coordinator_.NewTask("long", std::vector<double>(50'000, 1e-8)));
  std::this_thread::sleep_for(milliseconds(100));
  coordinator_.End("long");
  coordinator_.Add(coordinator_.NewTask("next", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_EQ(coordinator_.reports()[0].lease, "next");
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentTest, ReleasesWhatItCannotFinishInTime) {
  AgentOptions options;
  options.link.grace_s = 0.2;
  coordinator_.UseLongTraces();
  Start(options);
  coordinator_.Add(
      coordinator_.NewTask("long", std::vector<double>(50'000, 1e-8)));
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(Stop().ok());
  EXPECT_TRUE(coordinator_.released().contains("long"));
  EXPECT_TRUE(coordinator_.reports().empty());
}

TEST_F(AgentTest, FinishesWhatItHoldsBeforeItStops) {
  AgentOptions options;
  options.link.grace_s = 100;
  Start(options);
  coordinator_.Add(
      coordinator_.NewTask("short", std::vector<double>(20'000, 1e-8)));
  // Begun, not only leased: what is merely leased is given back.
  for (int i = 0; i < 6000 && coordinator_.model_fetches() == 0; ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(Stop().ok());
  // Leased before the stop: reported. Not leased: untouched.
  EXPECT_TRUE(coordinator_.released().empty());
}

TEST_F(AgentTest, LeasesOneTaskAheadAndGivesItBackWhenItStops) {
  AgentOptions options;
  options.link.grace_s = 0.2;
  coordinator_.UseLongTraces();
  for (const char* lease : {"begun", "ahead", "left", "left too"}) {
    coordinator_.Add(
        coordinator_.NewTask(lease, std::vector<double>(50'000, 1e-8)));
  }
  Start(options);
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(coordinator_.tasks_left(), 2);
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(coordinator_.released(), (std::set<std::string>{"begun", "ahead"}));
  EXPECT_EQ(coordinator_.tasks_left(), 2);
}

TEST_F(AgentTest, DoesNotBeginWhatEndedWhileItWaited) {
  coordinator_.UseLongTraces();
  coordinator_.Add(
      coordinator_.NewTask("begun", std::vector<double>(50'000, 1e-8)));
  coordinator_.Add(
      coordinator_.NewTask("ahead", std::vector<double>(50'000, 1e-8)));
  Start();
  std::this_thread::sleep_for(milliseconds(300));
  coordinator_.End("ahead");
  std::this_thread::sleep_for(milliseconds(300));
  coordinator_.End("begun");
  coordinator_.Add(coordinator_.NewTask("next", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_EQ(coordinator_.reports()[0].lease, "next");
  EXPECT_TRUE(Stop().ok());
}

// What a worker says of its speed is that of the simulation.
TEST_F(AgentTest, FetchingIsNotPartOfTheTime) {
  coordinator_.FetchTakes(0.3);
  Start();
  coordinator_.Add(coordinator_.NewTask("first", {1e-8}));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_LT(coordinator_.reports()[0].microseconds, 200'000);
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentTest, EndsWhenIdle) {
  AgentOptions options;
  options.idle_exit_s = 0.3;
  const auto begin = Clock::now();
  Start(options);
  EXPECT_TRUE(Join().ok());
  EXPECT_GT(Clock::now() - begin, milliseconds(250));
  EXPECT_LT(Clock::now() - begin, seconds(4));
}

}  // namespace
}  // namespace somafit
