// Whole rounds on workers of different speed, in simulated time: how long they
// take, against the time in which these workers could do them at best.
#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "tests/server/study/coordinator_fixture.h"
#include "tests/server/study/example_fit.h"

namespace somafit {
namespace {

constexpr double kLeaseTakes = 0.001;   // [s]
constexpr double kReportTakes = 0.003;  // [s]

class ScheduleTest : public CoordinatorTest {
 protected:
  struct DoneTask {
    int64_t round = 0;
    size_t worker = 0;
    int64_t samples = 0;
    double seconds = 0;
  };

  // Simulates `rounds` rounds of `samples` on workers of one thread that do so
  // many samples a second, in vectors of kLanes. Each holds one task ahead, as
  // worker/agent does.
  void Simulate(int64_t samples, int64_t rounds, std::vector<double> speeds) {
    for (size_t w = 0; w < speeds.size(); ++w) {
      workers_.push_back({.session = Join(absl::StrCat("w", w)),
                          .speed = speeds[w],
                          .task = {},
                          .ahead = {},
                          .waits = true});
    }
    begun_s_ = time_s_;
    Effects effects;
    ASSERT_TRUE(coordinator_
                    .CreateFit(ExamplePlan("hh", samples, rounds),
                               ExampleModel(), now(), effects)
                    .ok());
    Carry(effects);
    while (!events_.empty()) {
      const auto event = events_.begin();
      time_s_ = event->first;
      const std::function<void()> happens = std::move(event->second);
      events_.erase(event);
      happens();
    }
    ASSERT_EQ(Get("hh").state, FitState::kSucceeded);
    ASSERT_EQ(round_s_.size(), static_cast<size_t>(rounds));
  }

  // Of a round's samples, the part in tasks of 50 to 200 ms.
  double Bulk(int64_t round) const {
    int64_t all = 0;
    int64_t bulk = 0;
    for (const DoneTask& task : done_) {
      if (task.round != round) continue;
      all += task.samples;
      if (task.seconds >= 0.05 && task.seconds <= 0.2) bulk += task.samples;
    }
    return static_cast<double>(bulk) / static_cast<double>(all);
  }

  std::vector<double> round_s_;  // time each round took
  std::vector<DoneTask> done_;

 private:
  struct Worker {
    std::string session;
    double speed = 0;
    std::optional<Task> task, ahead;
    bool waits = false;  // for a lease
  };

  void After(double seconds, std::function<void()> happens) {
    events_.emplace(time_s_ + seconds, std::move(happens));
  }

  void Serve() {
    for (size_t w = 0; w < workers_.size(); ++w) {
      if (workers_[w].waits) Ask(w);
    }
  }

  void Ask(size_t w) {
    Worker& worker = workers_[w];
    auto tasks = Lease(worker.session);
    worker.waits = tasks.empty();
    if (tasks.empty()) return;
    After(kLeaseTakes / 2, [this, w, task = std::move(tasks[0])] {
      if (workers_[w].task) {
        ASSERT_FALSE(workers_[w].ahead);
        workers_[w].ahead = task;
      } else {
        Begin(w, task);
      }
    });
  }

  void Begin(size_t w, Task task) {
    Worker& worker = workers_[w];
    const auto n = static_cast<int64_t>(task.points.size());
    const int64_t lanes = (n + kLanes - 1) / kLanes * kLanes;
    const double seconds = static_cast<double>(lanes) / worker.speed;
    done_.push_back({task.round, w, n, seconds});
    worker.task = std::move(task);
    After(seconds, [this, w, seconds] { End(w, seconds); });
    After(kLeaseTakes / 2, [this, w] { Ask(w); });
  }

  void End(size_t w, double seconds) {
    Worker& worker = workers_[w];
    Coordinator::Report report = ExampleReport(worker.session, *worker.task);
    report.microseconds = static_cast<int64_t>(seconds * 1e6);
    After(kReportTakes, [this, report] { Send(report); });
    worker.task.reset();
    if (!worker.ahead) return;
    Task next = *std::exchange(worker.ahead, std::nullopt);
    Begin(w, std::move(next));
  }

  void Send(const Coordinator::Report& report) {
    Effects effects;
    ASSERT_TRUE(coordinator_.ReportResults(report, now(), effects).ok());
    const int64_t rounds = Get("hh").rounds;
    Carry(effects);
    if (Get("hh").rounds == rounds) return;
    round_s_.push_back(time_s_ - begun_s_);
    begun_s_ = time_s_;
  }

  void Carry(const Effects& effects) {
    if (effects.work_available) Serve();
    for (const int64_t fit : effects.advance) {
      Effects more;
      coordinator_.Advance(fit, now(), more);
      Carry(more);
    }
  }

  std::vector<Worker> workers_;
  std::multimap<double, std::function<void()>> events_;
  double begun_s_ = 0;
};

double Ideal(int64_t samples, const std::vector<double>& speeds) {
  return static_cast<double>(samples) /
         std::accumulate(speeds.begin(), speeds.end(), 0.0);
}

TEST_F(ScheduleTest, AHundredThousandSamplesOnEightWorkersOfAllSpeeds) {
  const std::vector<double> speeds = {14000, 14000, 7000,  7000,
                                      20000, 3000,  28000, 1000};
  Simulate(100'000, 3, speeds);
  for (int64_t round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    const double ideal = Ideal(100'000, speeds);
    EXPECT_LT(round_s_.at(static_cast<size_t>(round)), 1.1 * ideal);
    EXPECT_GT(Bulk(round), 0.75);
  }
  for (const DoneTask& task : done_) EXPECT_LE(task.seconds, 0.2);
}

TEST_F(ScheduleTest, TenThousandSamplesOnOneWorker) {
  Simulate(10'000, 2, {14000});
  for (int64_t round = 0; round < 2; ++round) {
    EXPECT_LT(round_s_.at(static_cast<size_t>(round)),
              1.05 * Ideal(10'000, {14000}));
    EXPECT_GT(Bulk(round), 0.8);
  }
}

TEST_F(ScheduleTest, ASlowWorkerDoesNotHoldUpTheRound) {
  const std::vector<double> speeds = {14000, 1000};
  Simulate(10'000, 3, speeds);
  EXPECT_LT(round_s_.at(1), 1.1 * Ideal(10'000, speeds));
  EXPECT_LT(round_s_.at(2), 1.1 * Ideal(10'000, speeds));
}

// Two vectors, one for each.
TEST_F(ScheduleTest, ThirtySamplesOnTwoWorkers) {
  Simulate(30, 3, {100, 100});
  for (const double seconds : round_s_) EXPECT_LT(seconds, 1.1 * 0.16);
  std::map<size_t, int64_t> samples;
  for (const DoneTask& task : done_) samples[task.worker] += task.samples;
  EXPECT_EQ(samples[0], 45);
  EXPECT_EQ(samples[1], 45);
}

TEST_F(ScheduleTest, ThirtySamplesOnOneWorker) {
  Simulate(30, 3, {100});
  for (const double seconds : round_s_) EXPECT_LT(seconds, 1.1 * 0.32);
}

TEST_F(ScheduleTest, EveryOneOfManyWorkersGetsSomething) {
  Simulate(1000, 1, std::vector<double>(50, 100));
  std::map<size_t, int64_t> samples;
  for (const DoneTask& task : done_) samples[task.worker] += task.samples;
  EXPECT_EQ(samples.size(), 50u);
  for (const auto& [worker, n] : samples) EXPECT_LE(n, 32) << worker;
}

}  // namespace
}  // namespace somafit
