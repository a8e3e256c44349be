// Questions to posteriors, as the coordinator hands them on.
#include <gtest/gtest.h>

#include "tests/server/study/inference_fixture.h"

namespace somafit {
namespace {

TEST_F(InferenceTest, AnswersQuestions) {
  Create(InferencePlanOf("inf"));
  Create(ExamplePlan("fit"));
  Effects effects;
  const auto ask = [&](const char* name, int64_t round = -1) {
    effects = {};
    return coordinator_.AskPosterior(name, Question(round), now(), effects);
  };
  EXPECT_EQ(ask("fit").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ask("inf").status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string worker = Join("w"), trainer = JoinTrainer();
  Effects cancelled;
  ASSERT_TRUE(coordinator_.CancelFit("fit", now(), cancelled).ok());
  Simulate(worker);
  Trained(trainer, *LeaseTrainer(trainer));
  EXPECT_EQ(ask("inf", 1).status().code(), absl::StatusCode::kInvalidArgument);
  const auto number = ask("inf");
  ASSERT_TRUE(number.ok()) << number.status();
  EXPECT_TRUE(effects.trainer_work);
  EXPECT_FALSE((*coordinator_.TakeAnswer(*number)).has_value());
  // Before the draws of the next round.
  const auto task = LeaseTrainer(trainer);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->question, "what?");
  EXPECT_EQ(task->job.round, 0);
  effects = {};
  ASSERT_TRUE(
      coordinator_
          .ReportAnswer(trainer, task->lease, {"this", "that"}, now(), effects)
          .ok());
  EXPECT_EQ(effects.questions, (std::vector<int64_t>{*number}));
  EXPECT_EQ(**coordinator_.TakeAnswer(*number),
            (std::vector<std::string>{"this", "that"}));
  // Nobody is asked again.
  EXPECT_EQ(LeaseTrainer(trainer)->request, 0);
  coordinator_.EndQuestion(*number);
  EXPECT_EQ(coordinator_.TakeAnswer(*number).status().code(),
            absl::StatusCode::kNotFound);
  // One that fails, finally or after some attempts.
  const auto wrong = ask("inf");
  Failed(trainer, *LeaseTrainer(trainer), true);
  EXPECT_EQ(coordinator_.TakeAnswer(*wrong).status().code(),
            absl::StatusCode::kInvalidArgument);
  coordinator_.EndQuestion(*wrong);
  const auto hard = ask("inf");
  for (int i = 0; i < 3; ++i) Failed(trainer, *LeaseTrainer(trainer), false);
  EXPECT_EQ(coordinator_.TakeAnswer(*hard).status().code(),
            absl::StatusCode::kAborted);
  // One that is taken back leaves its trainer free.
  coordinator_.EndQuestion(*hard);
  const auto dropped = ask("inf");
  const auto leased = LeaseTrainer(trainer);
  coordinator_.EndQuestion(*dropped);
  EXPECT_TRUE(*coordinator_.TrainerHeartbeat(trainer, leased->lease, "", {},
                                             now(), beat_));
}

TEST_F(InferenceTest, AQuestionDoesNotWaitForever) {
  Create(InferencePlanOf("inf", 6, 1));
  Simulate(Join("w"));
  const std::string trainer = JoinTrainer();
  Trained(trainer, *LeaseTrainer(trainer));
  Effects effects;
  const auto waiting =
      coordinator_.AskPosterior("inf", Question(), now(), effects);
  // As long as there is a trainer it does.
  PassBeating(100, trainer);
  EXPECT_TRUE(coordinator_.TakeAnswer(*waiting).ok());
  Pass(100);
  EXPECT_EQ(coordinator_.TakeAnswer(*waiting).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(coordinator_.LacksTrainer(now()) ||
              !coordinator_.HasTrainerWork(now()));
}

}  // namespace
}  // namespace somafit
