// An inference from round to round: what trainers are asked for, what becomes
// of their answers, losses and failures.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/inference_fixture.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST_F(InferenceTest, GoesFromPriorToPosterior) {
  Create(InferencePlanOf("inf"));
  EXPECT_EQ(created_,
            "model new stage:0:0 event1:RUNNING round:0:0@0+6 fit:RUNNING");
  const std::string worker = Join("w"), trainer = JoinTrainer();
  EXPECT_FALSE(LeaseTrainer(trainer));  // nothing is simulated yet
  Simulate(worker);
  EXPECT_EQ(advanced_, "");  // the round ends when it has been learned from
  EXPECT_EQ(Get("inf").phase, "training");
  EXPECT_EQ(Get("inf").rounds, 0);

  const auto train = LeaseTrainer(trainer);
  ASSERT_TRUE(train);
  EXPECT_EQ(train->job, (TrainerJob{TrainerJob::Kind::kTrain, 0, 0}));
  EXPECT_EQ(train->title, "fits/inf");
  EXPECT_EQ(train->seed, 42u);
  EXPECT_FALSE(LeaseTrainer(JoinTrainer("another")));
  EXPECT_EQ(Trained(trainer, *train),
            "estimators:0:0 stage:0:1 event2:round:0:0 fit:RUNNING");
  EXPECT_EQ(std::get<EventRecord>(written_[2]).training, "summary");
  EXPECT_EQ(Get("inf").phase, "drawing");

  const auto draw = LeaseTrainer(trainer);
  ASSERT_TRUE(draw);
  EXPECT_EQ(draw->job, (TrainerJob{TrainerJob::Kind::kDraw, 1, 6}));
  EXPECT_EQ(Drawn(trainer, *draw, Theta(6)), "round:0:1@6+6 fit:RUNNING");
  const auto tasks = Lease(worker);
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].points[1], (std::vector<double>{2e-9 + 1e-10, 0.5}));
  Report(ExampleReport(worker, tasks[0]));
  Simulate(worker);
  const auto last = LeaseTrainer(trainer);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->job.round, 1);
  EXPECT_EQ(Trained(trainer, *last),
            "estimators:0:1 stage:0:2 event3:round:0:1 "
            "event4:SUCCEEDED(ROUNDS) fit:SUCCEEDED");
  EXPECT_EQ(Get("inf").phase, "");
  EXPECT_FALSE(LeaseTrainer(trainer));
  EXPECT_FALSE(Get("inf").best_sample);
}

TEST_F(InferenceTest, DrawsTheSameFromThePriorForTheSameSeed) {
  std::vector<std::vector<std::vector<double>>> drawn;
  const std::string worker = Join("w");
  for (const uint64_t seed : {42, 42, 43}) {
    FitPlan plan = InferencePlanOf("", 200, 1);
    plan.spec.seed = seed;
    const std::string name = Create(plan).name;
    auto& points = drawn.emplace_back();
    for (auto tasks = Lease(worker); !tasks.empty(); tasks = Lease(worker)) {
      for (const auto& point : tasks[0].points) points.push_back(point);
      Report(ExampleReport(worker, tasks[0]));
    }
    ASSERT_THAT(points, SizeIs(200));
    for (const auto& point : points) {
      EXPECT_GE(point[0], 1e-9);
      EXPECT_LT(point[0], 1e-7);
      EXPECT_GE(point[1], 0.1);
      EXPECT_LT(point[1], 2);
    }
    Effects effects;
    ASSERT_TRUE(coordinator_.CancelFit(name, now(), effects).ok());
  }
  EXPECT_EQ(drawn[0], drawn[1]);
  EXPECT_NE(drawn[0], drawn[2]);
}

TEST_F(InferenceTest, AFixedParameterStaysWhereItIs) {
  FitPlan plan = InferencePlanOf("inf");
  auto inference = std::make_shared<InferencePlan>(*plan.inference);
  inference->marginals.erase(inference->marginals.begin());
  inference->prior = *MakePrior(inference->marginals);
  inference->free = {1};
  plan.inference = inference;
  auto parameters = plan.space.parameters();
  parameters[0].lower = parameters[0].upper = 3e-9;
  plan.space = ParameterSpace(parameters);
  Create(plan);
  const auto tasks = Lease(Join("w"));
  ASSERT_THAT(tasks, SizeIs(1));
  for (const auto& point : tasks[0].points) {
    EXPECT_EQ(point[0], 3e-9);
    EXPECT_GE(point[1], 0.1);
  }
}

TEST_F(InferenceTest, ALostTrainerCostsAnAttempt) {
  FitPlan plan = InferencePlanOf("inf");
  plan.spec.execution.max_attempts = 2;
  Create(plan);
  Simulate(Join("w"));
  const std::string first = JoinTrainer();
  const auto train = LeaseTrainer(first);
  ASSERT_TRUE(train);
  Pass(40);  // silent
  Effects effects;
  EXPECT_EQ(coordinator_
                .ReportTraining(first, train->lease, "late", "", now(), effects)
                .code(),
            absl::StatusCode::kNotFound);
  const std::string second = JoinTrainer();
  const auto again = LeaseTrainer(second);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->job, train->job);
  EXPECT_NE(again->lease, train->lease);
  EXPECT_EQ(Failed(second, *again, false),
            "event2:PAUSED(TRAINER: no memory) fit:PAUSED");
  EXPECT_FALSE(LeaseTrainer(second));
  Effects resumed;
  ASSERT_TRUE(coordinator_.ResumeFit("inf", now(), resumed).ok());
  EXPECT_TRUE(resumed.trainer_work);
  Pass(1);
  const auto third = LeaseTrainer(second);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->job, train->job);
  EXPECT_EQ(Trained(second, *third),
            "estimators:0:0 stage:0:1 event4:round:0:0 fit:RUNNING");
}

TEST_F(InferenceTest, WaitsBeforeItTriesAgain) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  EXPECT_EQ(Failed(trainer, *LeaseTrainer(trainer), false), "");
  EXPECT_FALSE(LeaseTrainer(trainer));
  Pass(1);
  EXPECT_TRUE(LeaseTrainer(trainer));
}

TEST_F(InferenceTest, GivingBackCostsNoAttempt) {
  FitPlan plan = InferencePlanOf("inf");
  plan.spec.execution.max_attempts = 1;
  Create(plan);
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  for (int i = 0; i < 3; ++i) {
    Effects effects;
    ASSERT_TRUE(coordinator_
                    .ReportTrainerFailure(trainer, LeaseTrainer(trainer)->lease,
                                          "", false, now(), effects)
                    .ok());
    EXPECT_EQ(Describe(effects.writes), "");
    EXPECT_TRUE(effects.trainer_work);
  }
}

TEST_F(InferenceTest, ForgivesTrainersWhenItStoodStillItself) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  const auto train = LeaseTrainer(trainer);
  Pass(1);
  time_s_ += 1000;
  Effects effects;
  coordinator_.Tick(now(), effects);
  EXPECT_EQ(Trained(trainer, *train),
            "estimators:0:0 stage:0:1 event2:round:0:0 fit:RUNNING");
}

TEST_F(InferenceTest, AMistakeOfTrainingCostsNoSimulations) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  EXPECT_EQ(Failed(trainer, *LeaseTrainer(trainer), true),
            "event2:PAUSED(TRAINER: no memory) fit:PAUSED");
  EXPECT_TRUE(coordinator_.TrainingSince("inf", std::nullopt)->ended);
  // It goes on with other options, and what it has.
  Continuation continuation;
  continuation.plan = InferencePlanOf("inf");
  continuation.plan.spec.inference->training.learning_rate = 1e-3;
  continuation.fit = 1;
  Effects effects;
  ASSERT_TRUE(
      coordinator_.ContinueFit("inf", std::move(continuation), now(), effects)
          .ok());
  time_s_ += 100;
  const auto again = LeaseTrainer(trainer);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->job.kind, TrainerJob::Kind::kTrain);
  EXPECT_EQ(again->spec.training.learning_rate, 1e-3);
}

TEST_F(InferenceTest, WhatCannotBeDrawnEndsIt) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  Trained(trainer, *LeaseTrainer(trainer));
  EXPECT_EQ(Failed(trainer, *LeaseTrainer(trainer), true),
            "cancelled event3:FAILED(TRAINER: no memory) fit:FAILED");
}

TEST_F(InferenceTest, AnotherObservationEndsATraining) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  const auto train = LeaseTrainer(trainer);
  Effects effects;
  const FitRecord fit = *coordinator_.GetFit("inf", now());
  const size_t n = fit.outputs.size() * fit.n_traces;
  ASSERT_TRUE(
      coordinator_
          .SetObservation("inf", std::vector<double>(n, 1.5), now(), effects)
          .ok());
  EXPECT_EQ(coordinator_
                .ReportTraining(trainer, train->lease, "e", "s", now(), effects)
                .code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(LeaseTrainer(trainer)->plan->observation[0], 1.5);
}

TEST_F(InferenceTest, APauseEndsTheTrainersTask) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  const auto train = LeaseTrainer(trainer);
  Effects effects;
  const auto beat = [&] {
    return *coordinator_.TrainerHeartbeat(trainer, train->lease, "epoch 3", {},
                                          now(), effects);
  };
  EXPECT_FALSE(beat());
  EXPECT_THAT(coordinator_.Trainers(now())[0].activity, HasSubstr("epoch 3"));
  ASSERT_TRUE(coordinator_.PauseFit("inf", now(), effects).ok());
  EXPECT_TRUE(beat());
  EXPECT_EQ(coordinator_
                .ReportTraining(trainer, train->lease, "e", "s", now(), effects)
                .code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(coordinator_.ResumeFit("inf", now(), effects).ok());
  EXPECT_TRUE(LeaseTrainer(trainer));
}

TEST_F(InferenceTest, RefusesDrawsThatAreNone) {
  Create(InferencePlanOf("inf"));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  Trained(trainer, *LeaseTrainer(trainer));
  const auto draw = LeaseTrainer(trainer);
  EXPECT_EQ(Drawn(trainer, *draw, Theta(5)), "");
  EXPECT_EQ(drawn_.code(), absl::StatusCode::kInvalidArgument);
  std::vector<double> broken = Theta(6);
  broken[3] = kNaN;
  EXPECT_EQ(Drawn(trainer, *draw, broken), "");
  EXPECT_EQ(drawn_.code(), absl::StatusCode::kInvalidArgument);
  broken[3] = 2.5;  // outside the prior
  EXPECT_EQ(Drawn(trainer, *draw, broken), "");
  EXPECT_EQ(drawn_.code(), absl::StatusCode::kInvalidArgument);
  Effects effects;
  EXPECT_EQ(coordinator_
                .ReportTraining(trainer, draw->lease, "e", "s", now(), effects)
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Drawn(trainer, *draw, Theta(6)), "round:0:1@6+6 fit:RUNNING");
}

TEST_F(InferenceTest, TakesNoPoints) {
  Create(InferencePlanOf("inf", 6, 1));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  Trained(trainer, *LeaseTrainer(trainer));
  Effects effects;
  EXPECT_EQ(coordinator_
                .EvaluatePoints("inf", ExamplePlan("inf"), {{2e-9, 1.0}}, now(),
                                effects)
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Describe(effects.writes), "");
}

TEST_F(InferenceTest, GoesOnFromItsPosterior) {
  Create(InferencePlanOf("inf", 6, 1));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  Trained(trainer, *LeaseTrainer(trainer));
  Continuation continuation;
  continuation.plan = InferencePlanOf("inf");
  continuation.fit = 1;
  continuation.rounds = 1;
  Effects effects;
  const auto fit =
      coordinator_.ContinueFit("inf", std::move(continuation), now(), effects);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(Describe(effects.writes), "changed event4:RUNNING fit:RUNNING");
  const auto draw = LeaseTrainer(trainer);
  ASSERT_TRUE(draw);
  EXPECT_EQ(draw->job.kind, TrainerJob::Kind::kDraw);
  EXPECT_EQ(draw->job.round, 1);
}

TEST_F(InferenceTest, ARestartWantsTheSame) {
  StoredFit stored;
  stored.fit = Create(InferencePlanOf("inf"));
  StageRecord stage;
  stage.fit = stored.fit.id;
  stored.stages = {stage};
  const auto recover = [&](const StoredFit& fit) {
    Coordinator restarted({.lease_s = 30},
                          [this] { return absl::StrCat("other", ++secrets_); });
    Effects effects;
    EXPECT_TRUE(restarted
                    .Recover(
                        {fit}, 2,
                        [](const FitRecord&) { return InferencePlanOf("inf"); },
                        now(), effects)
                    .ok());
    EXPECT_EQ(Describe(effects.writes), "");
    const auto session = restarted.RegisterTrainer({"t", "", ""}, now());
    return *restarted.LeaseTrainerTask(session->session, now(), effects);
  };
  // A round of which a sample is open: nothing.
  StoredRound round;
  round.round.fit = stored.fit.id;
  round.round.points.assign(6, {2e-9, 1.0});
  round.evaluations.resize(6);
  for (auto& each : round.evaluations) each.status = SampleStatus::kOk;
  round.evaluations[4].status = SampleStatus::kDrawn;
  stored.open_rounds = {round};
  EXPECT_FALSE(recover(stored));
  // A complete one: it is to be learned from.
  round.evaluations[4].status = SampleStatus::kNonfinite;
  stored.open_rounds = {round};
  EXPECT_EQ(recover(stored)->job, (TrainerJob{TrainerJob::Kind::kTrain, 0, 0}));
  // One that was learned from: the next is to be drawn.
  stored.open_rounds.clear();
  stored.fit.rounds = stored.stages[0].rounds = 1;
  EXPECT_EQ(recover(stored)->job, (TrainerJob{TrainerJob::Kind::kDraw, 1, 6}));
}

TEST_F(InferenceTest, KnowsWhenItLacksATrainer) {
  Create(InferencePlanOf("inf"));
  EXPECT_FALSE(coordinator_.LacksTrainer(now()));
  Simulate(Join("w"));
  EXPECT_TRUE(coordinator_.LacksTrainer(now()));
  const std::string trainer = JoinTrainer();
  EXPECT_FALSE(coordinator_.LacksTrainer(now()));
  Pass(200);  // it fell silent
  EXPECT_TRUE(coordinator_.LacksTrainer(now()));
  Effects effects;
  EXPECT_EQ(
      coordinator_.LeaseTrainerTask(trainer, now(), effects).status().code(),
      absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace somafit
