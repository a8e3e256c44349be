#include "server/trainer/trainer.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/trainer/fake_port.h"
#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::HasSubstr;

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : lab_("npe_b", "mdn") {
    lab_.problem().mutable_training()->set_max_num_epochs(2);
    const auto draws = lab_.Draw(0, 100);
    EXPECT_TRUE(draws.ok());
    lab_.Simulate(0, draws->theta);
    coordinator_.Serve(lab_.blocks, {});
    options_.link.grace_s = 0.2;
    options_.link.last_retry_s = 0.1;
  }
  ~TrainerTest() override { Stop(); }

  void Start() {
    trainer_ = std::make_unique<Trainer>(
        options_, [this] { return coordinator_.NewPort(); });
    running_ = std::thread([this] { status_ = trainer_->Run(); });
  }
  void Stop() {
    if (!running_.joinable()) return;
    trainer_->Stop();
    running_.join();
  }

  v1::TrainerTask NewTask(const std::string& lease) {
    v1::TrainerTask task;
    task.set_lease(lease);
    *task.mutable_problem() = lab_.problem();
    return task;
  }
  v1::TrainerTask Training(const std::string& lease, int64_t epochs = 2) {
    v1::TrainerTask task = NewTask(lease);
    task.mutable_problem()->mutable_training()->set_max_num_epochs(epochs);
    if (epochs > 2) {
      task.mutable_problem()->mutable_training()->set_stop_after_epochs(epochs);
    }
    task.mutable_train()->set_round(0);
    return task;
  }

  LinearLab lab_;
  FakeTrainerCoordinator coordinator_;
  TrainerOptions options_;
  std::unique_ptr<Trainer> trainer_;
  std::thread running_;
  absl::Status status_;
};

constexpr int64_t kEndless = 1'000'000;

TEST_F(TrainerTest, DoesTasksOfAllKinds) {
  Start();
  coordinator_.Add(Training("a"));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  const std::string estimators = coordinator_.reports()[0].estimators;
  EXPECT_FALSE(estimators.empty());
  EXPECT_EQ(coordinator_.reports()[0].lease, "a");
  EXPECT_EQ(coordinator_.reports()[0].summary.simulations(), 100);
  coordinator_.Serve(lab_.blocks, {{0, estimators}});

  v1::TrainerTask draw = NewTask("b");
  draw.mutable_draw()->set_round(1);
  draw.mutable_draw()->set_n(30);
  coordinator_.Add(draw);
  v1::TrainerTask ask = NewTask("c");
  ask.mutable_ask()->mutable_ask()->mutable_draw()->set_n(10);
  coordinator_.Add(ask);
  ASSERT_TRUE(coordinator_.WaitForReports(3));
  EXPECT_EQ(coordinator_.reports()[1].theta.size(), 60u);
  ASSERT_EQ(coordinator_.reports()[2].answers.size(), 1u);
  EXPECT_EQ(coordinator_.reports()[2].answers[0].theta_size(), 20);
  Stop();
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(TrainerTest, SaysWhatItDoes) {
  Start();
  coordinator_.Add(Training("a", kEndless));
  EXPECT_TRUE(coordinator_.WaitForActivity("epoch 1"));
  EXPECT_TRUE(coordinator_.WaitForActivity("validation loss"));
}

TEST_F(TrainerTest, MistakesAreFinalAndOthersAreNot) {
  Start();
  v1::TrainerTask wrong = Training("a");
  wrong.mutable_problem()->set_algorithm("abc");
  coordinator_.Add(wrong);
  v1::TrainerTask missing = NewTask("b");  // no estimators to draw from
  missing.mutable_draw()->set_round(1);
  missing.mutable_draw()->set_n(5);
  coordinator_.Add(missing);
  coordinator_.Add(NewTask("c"));  // of no kind
  ASSERT_TRUE(coordinator_.WaitForReports(3));
  EXPECT_THAT(coordinator_.reports()[0].failure, HasSubstr("abc"));
  EXPECT_TRUE(coordinator_.reports()[0].final);
  EXPECT_THAT(coordinator_.reports()[1].failure,
              HasSubstr("no estimators of that round"));
  EXPECT_FALSE(coordinator_.reports()[1].final);
  EXPECT_FALSE(coordinator_.reports()[2].final);
  // Estimators that are none are the task's fault.
  coordinator_.Serve(lab_.blocks, {{0, "none"}});
  missing.set_lease("d");
  coordinator_.Add(missing);
  ASSERT_TRUE(coordinator_.WaitForReports(4));
  EXPECT_TRUE(coordinator_.reports()[3].final);
}

TEST_F(TrainerTest, AHeartbeatEndsATask) {
  Start();
  coordinator_.Add(Training("a", kEndless));
  ASSERT_TRUE(coordinator_.WaitForActivity("epoch"));
  coordinator_.End("a");
  coordinator_.Add(Training("b"));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_EQ(coordinator_.reports()[0].lease, "b");
}

TEST_F(TrainerTest, StoppingGivesATaskBack) {
  Start();
  coordinator_.Add(Training("a", kEndless));
  ASSERT_TRUE(coordinator_.WaitForActivity("epoch"));
  Stop();
  EXPECT_TRUE(status_.ok()) << status_;
  const auto reports = coordinator_.reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0].failure, HasSubstr("released"));
  EXPECT_FALSE(reports[0].final);
}

TEST_F(TrainerTest, ACoordinatorThatWasAwayGetsTheResult) {
  Start();
  coordinator_.Add(Training("a", 4000));
  ASSERT_TRUE(coordinator_.WaitForActivity("epoch"));
  coordinator_.FailWith(absl::UnavailableError("away"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  coordinator_.FailWith(absl::OkStatus());
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_FALSE(coordinator_.reports()[0].estimators.empty());
  coordinator_.Add(Training("b"));
  ASSERT_TRUE(coordinator_.WaitForReports(2));
}

// The coordinator began anew: it may not know the lease, and hands the task out
// again.
TEST_F(TrainerTest, WhatWasReportedInDoubtIsNotComputedAgain) {
  Start();
  coordinator_.Add(Training("a"));
  coordinator_.RefuseReport(absl::NotFoundError("no such session"));
  ASSERT_TRUE(coordinator_.WaitForRegistrations(2));
  coordinator_.Serve({}, {});  // computing again would fail
  coordinator_.Add(Training("b"));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_EQ(coordinator_.reports()[0].lease, "b");
  EXPECT_EQ(coordinator_.reports()[0].failure, "");
  EXPECT_FALSE(coordinator_.reports()[0].estimators.empty());
  // Once only.
  coordinator_.Add(Training("c"));
  ASSERT_TRUE(coordinator_.WaitForReports(2));
  EXPECT_THAT(coordinator_.reports()[1].failure, HasSubstr("only 0 of 0"));
}

TEST_F(TrainerTest, ResultsThatAreRefusedAreAFailure) {
  Start();
  coordinator_.RefuseReport(absl::InvalidArgumentError("too large"));
  coordinator_.Add(Training("a"));
  ASSERT_TRUE(coordinator_.WaitForReports(1));
  EXPECT_THAT(coordinator_.reports()[0].failure, HasSubstr("too large"));
  EXPECT_TRUE(coordinator_.reports()[0].final);
}

TEST_F(TrainerTest, EndsWhenIdle) {
  options_.idle_exit_s = 0.2;
  Start();
  running_.join();
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(TrainerTest, ARefusedTokenEndsIt) {
  coordinator_.FailWith(absl::UnauthenticatedError("the token is wrong"));
  Start();
  running_.join();
  EXPECT_TRUE(absl::IsUnauthenticated(status_)) << status_;
}

}  // namespace
}  // namespace somafit
