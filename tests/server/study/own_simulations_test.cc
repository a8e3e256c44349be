// Simulators of the user's own: what is appended to which round, when it is
// trained on, and what a restarted coordinator knows of it.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/study/inference_plan.h"
#include "tests/server/study/coordinator_fixture.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

FitSpec OwnSpec() {
  FitSpec spec;
  spec.name = "own";
  spec.seed = 3;
  spec.parameters = {
      {.name = "a", .bounds = "[0*nS, 2*nS]"},
      {.name = "b", .bounds = "", .fixed = "3"},
      {.name = "c",
       .bounds = "",
       .prior = {"normal", {{"mean", "1*mV"}, {"sigma", "0.5*mV"}}}}};
  spec.inference.emplace();
  spec.inference->simulator = OwnSimulator{{"peak", "area"}, 0};
  spec.inference->observation = {1, 2};
  return spec;
}

FitPlan OwnPlan(const FitSpec& spec = OwnSpec()) {
  Diagnostics diagnostics;
  std::optional<FitPlan> plan = ResolveOwnPlan(spec, "hash", diagnostics);
  EXPECT_TRUE(plan) << diagnostics.Render();
  return plan.value_or(FitPlan());
}

// n rows of theta, and of x with a hole in the first `n_holes`.
struct Rows {
  std::vector<double> theta, x;
};
Rows MakeRows(int n, int n_holes = 0) {
  Rows rows;
  for (int i = 0; i < n; ++i) {
    rows.theta.push_back(1e-9 + 1e-12 * i);
    rows.theta.push_back(1e-3);
    rows.x.push_back(i < n_holes ? kNaN : i);
    rows.x.push_back(2.0 * i);
  }
  return rows;
}

class OwnSimulationsTest : public CoordinatorTest {
 protected:
  absl::StatusOr<AppendedSimulations> Append(
      const Rows& rows, std::optional<int64_t> round = std::nullopt) {
    Effects effects;
    auto appended = coordinator_.AppendSimulations("own", round, rows.theta,
                                                   rows.x, now(), effects);
    written_ = Describe(effects.writes);
    Follow(effects);
    return appended;
  }
  absl::Status Train(bool final_round = false,
                     const FitSpec& spec = OwnSpec()) {
    Effects effects;
    const auto fit = coordinator_.Train("own", OwnPlan(spec), Get("own"),
                                        final_round, now(), effects);
    written_ = Describe(effects.writes);
    return fit.status();
  }
  std::optional<TrainerTask> LeaseTrainer() {
    if (trainer_.empty()) {
      trainer_ =
          coordinator_.RegisterTrainer({"t", "host", "1"}, now())->session;
    }
    Effects effects;
    return *coordinator_.LeaseTrainerTask(trainer_, now(), effects);
  }
  void Trained(const TrainerTask& task) {
    Effects effects;
    EXPECT_TRUE(
        coordinator_
            .ReportTraining(trainer_, task.lease, "e", "s", now(), effects)
            .ok());
    written_ = Describe(effects.writes);
  }

  // A fit with 12 simulations in its round, as a restarted coordinator reads
  // it.
  static StoredFit Stored() {
    StoredFit stored;
    stored.fit = FitRun::NewRecord(1, "own", OwnPlan(), Now());
    stored.fit.next_sample = 12;
    stored.stages = {{.fit = 1, .stage = 0, .snapshot = ""}};
    StoredRound round;
    round.round.fit = 1;
    round.round.points.assign(12, {1e-9, 3, 1e-3});
    round.evaluations.resize(12);
    for (Evaluation& each : round.evaluations) each.status = SampleStatus::kOk;
    stored.open_rounds = {round};
    return stored;
  }
  Effects Recovered(const StoredFit& stored) {
    Effects effects;
    EXPECT_TRUE(coordinator_
                    .Recover(
                        {stored}, 2, [](const FitRecord&) { return OwnPlan(); },
                        now(), effects)
                    .ok());
    return effects;
  }

  std::string written_, trainer_;
};

TEST_F(OwnSimulationsTest, GoesFromRoundToRound) {
  Create(OwnPlan());
  EXPECT_EQ(created_, "model new stage:0:0 event1:RUNNING fit:RUNNING");
  EXPECT_EQ(Get("own").phase, "waiting for simulations");
  EXPECT_TRUE(Lease(Join("w")).empty());
  EXPECT_FALSE(LeaseTrainer());

  auto appended = Append(MakeRows(8, 2));
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_EQ(appended->simulations, 8);
  EXPECT_EQ(appended->invalid, 2);
  EXPECT_EQ(written_, "round:0:0@0+8 results:8 fit:RUNNING");
  EXPECT_TRUE(Lease(Join("w")).empty());  // they are nobody else's
  EXPECT_FALSE(LeaseTrainer());           // nobody said so
  EXPECT_THAT(std::string(Train().message()), HasSubstr("has 8 simulations"));
  appended = Append(MakeRows(12), 0);
  EXPECT_EQ(appended->simulations, 20);
  EXPECT_EQ(appended->invalid, 2);
  EXPECT_EQ(written_, "drawn:0:0@8+12 results:12 fit:RUNNING");
  EXPECT_EQ(coordinator_.PlanProposal("own", {})->first, 20);

  ASSERT_TRUE(Train().ok());
  EXPECT_EQ(written_, "changed event2:RUNNING(TRAINING) fit:RUNNING");
  EXPECT_EQ(Get("own").phase, "training");
  EXPECT_THAT(std::string(Append(MakeRows(1)).status().message()),
              HasSubstr("wait for that"));
  auto task = LeaseTrainer();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->job, (TrainerJob{TrainerJob::Kind::kTrain, 0, 0}));
  EXPECT_EQ(task->plan->n_rounds, kMaxInferenceRounds);
  Trained(*task);
  EXPECT_EQ(written_,
            "estimators:0:0 stage:0:1 event3:round:0:0 event4:RUNNING "
            "fit:RUNNING");
  EXPECT_FALSE(LeaseTrainer());

  EXPECT_EQ(coordinator_.PlanProposal("own", {})->round, 1);
  EXPECT_THAT(std::string(Append(MakeRows(1), 0).status().message()),
              HasSubstr("in round 1, not in 0"));
  ASSERT_TRUE(Append(MakeRows(20), 1).ok());
  EXPECT_EQ(written_, "round:0:1@20+20 results:20 fit:RUNNING");
  ASSERT_TRUE(Train(/*final_round=*/true).ok());
  task = LeaseTrainer();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->n_rounds, 2);
  Trained(*task);
  EXPECT_EQ(Get("own").state, FitState::kSucceeded);
  EXPECT_EQ(Get("own").samples_done, 40);
}

TEST_F(OwnSimulationsTest, OtherOptionsEndATrainingThatWasPaused) {
  Create(OwnPlan());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  ASSERT_TRUE(Train().ok());
  const auto before = LeaseTrainer();
  ASSERT_TRUE(before);
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("own", now(), effects).ok());
  FitSpec other = OwnSpec();
  other.inference->training.learning_rate = 1e-3;
  ASSERT_TRUE(Train(false, other).ok());
  EXPECT_EQ(
      coordinator_
          .ReportTraining(trainer_, before->lease, "e", "s", now(), effects)
          .code(),
      absl::StatusCode::kNotFound);
  const auto after = LeaseTrainer();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->spec.training.learning_rate, 1e-3);
}

TEST_F(OwnSimulationsTest, ATrainingThatFailedIsNotTheLast) {
  Create(OwnPlan());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  ASSERT_TRUE(Train(/*final_round=*/true).ok());
  auto task = LeaseTrainer();
  EXPECT_EQ(task->n_rounds, 1);
  Effects effects;
  ASSERT_TRUE(coordinator_
                  .ReportTrainerFailure(trainer_, task->lease, "no memory",
                                        /*final=*/true, now(), effects)
                  .ok());
  ASSERT_TRUE(Train(/*final_round=*/false).ok());
  task = LeaseTrainer();
  EXPECT_EQ(task->n_rounds, kMaxInferenceRounds);
  Trained(*task);
  EXPECT_EQ(Get("own").state, FitState::kRunning);
}

TEST_F(OwnSimulationsTest, APlanOfAnEarlierMomentIsRefused) {
  Create(OwnPlan());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  const FitRecord seen = Get("own");
  Effects effects;
  ASSERT_TRUE(coordinator_.PauseFit("own", now(), effects).ok());
  EXPECT_EQ(coordinator_.Train("own", OwnPlan(), seen, false, now(), effects)
                .status()
                .code(),
            absl::StatusCode::kAborted);
}

TEST_F(OwnSimulationsTest, WithoutAPriorThereIsOneRound) {
  FitSpec spec = OwnSpec();
  spec.parameters[0].bounds = "";
  spec.parameters[0].prior = {"improper", {{"scale", "1*nS"}}};
  Create(OwnPlan(spec));
  EXPECT_THAT(
      std::string(coordinator_.PlanProposal("own", {}).status().message()),
      HasSubstr("has no prior"));
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  ASSERT_TRUE(Train(false, spec).ok());
  Trained(*LeaseTrainer());
  EXPECT_EQ(Get("own").state, FitState::kSucceeded);
  EXPECT_FALSE(Append(MakeRows(20)).ok());
  // Nor does it go on.
  Effects effects;
  const auto fit = coordinator_.ContinueFit("own",
                                            {.plan = OwnPlan(spec),
                                             .restart = false,
                                             .snapshot = "",
                                             .fit = Get("own").id,
                                             .stage = 0,
                                             .rounds = 1},
                                            now(), effects);
  EXPECT_THAT(std::string(fit.status().message()), HasSubstr("no prior"));
  spec.stop.rounds = 2;
  Diagnostics diagnostics;
  EXPECT_FALSE(ResolveOwnPlan(spec, "hash", diagnostics));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("there is one round"));
}

TEST_F(OwnSimulationsTest, EstimatorsMayComeFromElsewhere) {
  FitSpec spec = OwnSpec();
  spec.stop.rounds = 2;
  Create(OwnPlan(spec));
  const auto import = [&](int64_t round) {
    Effects effects;
    const auto fit = coordinator_.ImportEstimators("own", round, "estimators",
                                                   "summary", now(), effects);
    written_ = Describe(effects.writes);
    return fit.status();
  };
  EXPECT_EQ(import(1).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(import(0).ok());
  EXPECT_EQ(written_, "estimators:0:0 stage:0:1 fit:RUNNING");
  EXPECT_EQ(Get("own").rounds, 1);
  EXPECT_EQ(import(0).code(), absl::StatusCode::kFailedPrecondition);
  // Simulations of one's own take turns with them.
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  EXPECT_THAT(std::string(import(1).message()), HasSubstr("20 simulations"));
  ASSERT_TRUE(Train(false, spec).ok());
  Trained(*LeaseTrainer());
  EXPECT_EQ(Get("own").state, FitState::kSucceeded);
  EXPECT_FALSE(import(2).ok());
}

TEST_F(OwnSimulationsTest, ARestartKeepsTheWidthOfX) {
  FitSpec spec = OwnSpec();
  spec.inference->simulator = OwnSimulator{{}, 20};
  spec.inference->observation.assign(20, 1);
  Create(OwnPlan(spec));
  Effects effects;
  ASSERT_TRUE(coordinator_.CancelFit("own", now(), effects).ok());
  spec.inference->simulator = OwnSimulator{{}, 10};
  spec.inference->observation.assign(10, 1);
  const auto fit = coordinator_.ContinueFit("own",
                                            {.plan = OwnPlan(spec),
                                             .restart = true,
                                             .snapshot = "",
                                             .fit = Get("own").id,
                                             .stage = Get("own").stage,
                                             .rounds = 0},
                                            now(), effects);
  EXPECT_THAT(std::string(fit.status().message()),
              HasSubstr("x would have 10 columns, but fits/own records 20"));
}

TEST_F(OwnSimulationsTest, AKernelNeedsAnObservation) {
  FitSpec spec = OwnSpec();
  spec.inference->observation.clear();
  Create(OwnPlan(spec));
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  spec.inference->training.calibration_kernel = "box";
  spec.inference->training.calibration_bandwidth = 1;
  EXPECT_THAT(std::string(Train(false, spec).message()),
              HasSubstr("has no observation"));
}

TEST_F(OwnSimulationsTest, AFailedTrainingPausesAndMoreMendsIt) {
  Create(OwnPlan());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  ASSERT_TRUE(Train().ok());
  auto task = LeaseTrainer();
  Effects effects;
  ASSERT_TRUE(coordinator_
                  .ReportTrainerFailure(trainer_, task->lease, "all alike",
                                        /*final=*/true, now(), effects)
                  .ok());
  EXPECT_EQ(Get("own").state, FitState::kPaused);
  EXPECT_EQ(Get("own").reason, "TRAINER: all alike");
  const auto appended = Append(MakeRows(5));
  ASSERT_TRUE(appended.ok());
  EXPECT_EQ(appended->simulations, 25);
  EXPECT_EQ(Get("own").state, FitState::kRunning);
  EXPECT_FALSE(LeaseTrainer());
  ASSERT_TRUE(Train().ok());
  EXPECT_TRUE(LeaseTrainer());
}

TEST_F(OwnSimulationsTest, NothingWrongIsTakenAndNothingChanges) {
  Create(OwnPlan());
  Rows wrong = MakeRows(3);
  wrong.theta.pop_back();
  EXPECT_THAT(std::string(Append(wrong).status().message()),
              HasSubstr("theta has 5 numbers and x 6"));
  wrong = MakeRows(3);
  wrong.x.pop_back();
  EXPECT_FALSE(Append(wrong).ok());
  wrong = MakeRows(3);
  wrong.theta[2] = 3e-9;
  EXPECT_THAT(std::string(Append(wrong).status().message()),
              HasSubstr("row 1 of theta: a = 3e-09"));
  EXPECT_FALSE(Append({}).ok());
  EXPECT_EQ(written_, "");
  EXPECT_EQ(Get("own").next_sample, 0);
  // A fit with a model takes none.
  Effects effects;
  ASSERT_TRUE(
      coordinator_.CreateFit(ExamplePlan("fit"), ExampleModel(), now(), effects)
          .ok());
  EXPECT_THAT(std::string(coordinator_
                              .AppendSimulations("fit", {}, wrong.theta,
                                                 wrong.x, now(), effects)
                              .status()
                              .message()),
              HasSubstr("inference.simulator"));
}

TEST_F(OwnSimulationsTest, AnObservationIsOneForAllProposals) {
  FitSpec spec = OwnSpec();
  spec.inference->observation.clear();
  Create(OwnPlan(spec));
  EXPECT_TRUE(coordinator_.PlanProposal("own", {}).ok());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  ASSERT_TRUE(Train().ok());
  Trained(*LeaseTrainer());
  EXPECT_THAT(
      std::string(coordinator_.PlanProposal("own", {}).status().message()),
      HasSubstr("has no observation"));
  Effects effects;
  ASSERT_TRUE(coordinator_.SetObservation("own", {4, 5}, now(), effects).ok());
  EXPECT_EQ(Describe(effects.writes), "changed fit:RUNNING");
  EXPECT_THAT(Get("own").spec.inference->observation, ElementsAre(4, 5));
  EXPECT_TRUE(coordinator_.PlanProposal("own", {}).ok());
  ASSERT_TRUE(Append(MakeRows(20)).ok());
  EXPECT_THAT(
      std::string(coordinator_.SetObservation("own", {6, 7}, now(), effects)
                      .status()
                      .message()),
      HasSubstr("were drawn for the observation"));
  // A plan that was made before changes nothing of it.
  ASSERT_TRUE(Train().ok());
  EXPECT_THAT(LeaseTrainer()->plan->observation, ElementsAre(4, 5));
}

TEST_F(OwnSimulationsTest, ARestartedCoordinatorKnowsItsRound) {
  StoredFit stored = Stored();
  stored.fit.reason = "TRAINING";
  stored.fit.numerics_version = kNumericsVersion - 1;  // it has no kernel
  EXPECT_TRUE(Recovered(stored).trainer_work);
  const auto task = LeaseTrainer();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->job.kind, TrainerJob::Kind::kTrain);
  Trained(*task);
  EXPECT_EQ(coordinator_.PlanProposal("own", {})->round, 1);
}

TEST_F(OwnSimulationsTest, ARoundGrowsAfterARestart) {
  StoredFit stored = Stored();
  stored.fit.numerics_version = kNumericsVersion;
  stored.open_rounds[0].evaluations[3].status = SampleStatus::kNonfinite;
  Recovered(stored);
  const auto appended = Append(MakeRows(5, 1));
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_EQ(appended->simulations, 17);
  EXPECT_EQ(appended->invalid, 2);
}

TEST(OwnSimulatorPlanTest, TakesDimensionsFromWhatDescribesParameters) {
  const FitPlan plan = OwnPlan();
  EXPECT_THAT(plan.inference->free, ElementsAre(0, 2));
  EXPECT_DOUBLE_EQ(plan.inference->prior->support()[0].upper, 2e-9);
  EXPECT_DOUBLE_EQ(plan.inference->prior->mean()[1], 1e-3);
  EXPECT_EQ(plan.space.parameters()[1].lower, 3);
  EXPECT_THAT(plan.inference->columns.names(), ElementsAre("peak", "area"));
  FitSpec many = OwnSpec();
  many.inference->simulator = OwnSimulator{{}, 5000};
  many.inference->observation.assign(5000, 1);
  const FitPlan wide = OwnPlan(many);
  EXPECT_EQ(wide.outputs.size(), 1u);
  EXPECT_EQ(wide.n_traces, 5000u);
  EXPECT_EQ(wide.inference->columns.NameOf(4999), "x4999");
}

}  // namespace
}  // namespace somafit
