#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/study/inference_plan.h"
#include "tests/server/study/coordinator_fixture.h"

namespace somafit {

// Of two features on two traces; two parameters are free.
inline FitPlan InferencePlanOf(const std::string& name, int64_t n_samples = 6,
                               int64_t rounds = 2) {
  FitPlan plan = ExamplePlan(name, n_samples, rounds);
  plan.spec.metrics.clear();
  plan.metrics.clear();
  plan.spec.optimizer = {};
  plan.spec.inference.emplace();
  plan.spec.inference->features = {{"v", "max", {}, "v_max"}};
  plan.outputs = {{"v_max", plan.outputs[0].dimension}};
  auto inference = std::make_shared<InferencePlan>();
  inference->marginals = {{"gl", "uniform", {{"lower", 1e-9}, {"upper", 1e-7}}},
                          {"Cm", "uniform", {{"lower", 0.1}, {"upper", 2}}}};
  inference->prior = *MakePrior(inference->marginals);
  inference->free = {0, 1};
  inference->algorithm = "tsnpe";
  inference->features = plan.outputs;
  inference->columns =
      XColumns(std::vector<std::string>{"v_max_trace_0", "v_max_trace_1"});
  inference->order = {0, 1};
  inference->observation = {-0.06, -0.05};
  inference->n_rounds = rounds;
  plan.inference = std::move(inference);
  return plan;
}

class InferenceTest : public CoordinatorTest {
 protected:
  std::string JoinTrainer(const std::string& name = "t") {
    auto session = coordinator_.RegisterTrainer({name, "host", "1"}, now());
    EXPECT_TRUE(session.ok());
    return session->session;
  }
  std::optional<TrainerTask> LeaseTrainer(const std::string& session) {
    Effects effects;
    auto task = coordinator_.LeaseTrainerTask(session, now(), effects);
    EXPECT_TRUE(task.ok()) << task.status();
    EXPECT_EQ(Describe(effects.writes), "");
    return *task;
  }
  // Keeps a trainer alive for a while.
  void PassBeating(double seconds, const std::string& session,
                   const std::string& lease = "") {
    for (const double end = time_s_ + seconds; time_s_ < end;) {
      Pass(5);
      EXPECT_TRUE(
          coordinator_.TrainerHeartbeat(session, lease, "", {}, now(), beat_)
              .ok());
    }
  }
  std::string Trained(const std::string& session, const TrainerTask& task) {
    Effects effects;
    const auto status = coordinator_.ReportTraining(
        session, task.lease, "estimators", "summary", now(), effects);
    EXPECT_TRUE(status.ok()) << status;
    written_ = effects.writes;
    return Describe(effects.writes);
  }
  std::string Drawn(const std::string& session, const TrainerTask& task,
                    const std::vector<double>& theta) {
    Effects effects;
    drawn_ =
        coordinator_.ReportDraws(session, task.lease, theta, now(), effects);
    return Describe(effects.writes);
  }
  std::string Failed(const std::string& session, const TrainerTask& task,
                     bool final) {
    Effects effects;
    EXPECT_TRUE(coordinator_
                    .ReportTrainerFailure(session, task.lease, "no memory",
                                          final, now(), effects)
                    .ok());
    return Describe(effects.writes);
  }
  // Simulates the open round.
  void Simulate(const std::string& worker) {
    while (true) {
      const auto tasks = Lease(worker);
      if (tasks.empty()) break;
      EXPECT_EQ(tasks[0].features,
                (std::vector<FeatureSpec>{{"v", "max", {}, "v_max"}}));
      Report(ExampleReport(worker, tasks[0]));
    }
  }
  std::vector<double> Theta(size_t n) {
    std::vector<double> theta;
    for (size_t i = 0; i < n; ++i) {
      theta.push_back(2e-9 + 1e-10 * static_cast<double>(i));
      theta.push_back(0.5);
    }
    return theta;
  }
  TrainerTask Question(int64_t round = -1) {
    TrainerTask task;
    task.plan = InferencePlanOf("").inference;
    task.job.round = round;
    task.question = "what?";
    return task;
  }

  WriteSet written_;
  absl::Status drawn_;
  Effects beat_;
};

}  // namespace somafit
