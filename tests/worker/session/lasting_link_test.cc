#include "worker/session/lasting_link.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace somafit {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kUntilStop = Patience::kUntilStop;
constexpr auto kUntilGraceEnds = Patience::kUntilGraceEnds;

struct Port final : public SessionPort {
  explicit Port(absl::StatusOr<Session> registering)
      : answer(std::move(registering)) {}
  absl::StatusOr<Session> Register(const Identity&) override { return answer; }
  void StopWaiting() override { ++stops; }

  const absl::StatusOr<Session> answer;
  std::atomic<int> stops = 0;
};

class LastingLinkTest : public testing::Test {
 protected:
  LastingLinkTest() {
    spdlog::set_level(spdlog::level::off);
    options_.first_retry_s = 0.01;
    options_.last_retry_s = 0.05;
  }

  LastingLinkTo<Port>& link() {
    if (!link_) {
      link_.emplace(
          options_,
          [this]() -> absl::StatusOr<std::shared_ptr<Port>> {
            ++attempts_;
            std::lock_guard lock(mutex_);
            return std::make_shared<Port>(answer_);
          },
          [this] {
            std::lock_guard lock(mutex_);
            ++stopped_;
          });
    }
    return *link_;
  }
  // What the coordinator says from now on.
  void Answer(absl::StatusOr<Session> answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  // Makes the link, and loses it.
  void LoseOne() {
    const auto first = link().Connected(kUntilStop);
    ASSERT_TRUE(first.ok()) << first.status();
    link().Lost(*first, absl::UnavailableError("away"));
  }

  LinkOptions options_;
  std::mutex mutex_;
  absl::StatusOr<Session> answer_ = Session{"session", 0.3};
  std::atomic<int> attempts_ = 0;
  int stopped_ = 0;
  std::optional<LastingLinkTo<Port>> link_;
};

TEST_F(LastingLinkTest, LastsUntilItIsLost) {
  EXPECT_FALSE(link().current());
  const auto first = link().Connected(kUntilStop);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->session.id, "session");
  EXPECT_EQ(first->number, 1);
  EXPECT_EQ(link().Connected(kUntilStop)->port, first->port);
  EXPECT_EQ(link().current()->port, first->port);
  EXPECT_EQ(attempts_, 1);
  EXPECT_DOUBLE_EQ(link().heartbeat_s(), 0.1);

  link().Lost(*first, absl::UnavailableError("away"));
  EXPECT_FALSE(link().current());
  // Otherwise who waits for work over it would do so for minutes.
  EXPECT_EQ(first->port->stops, 1);
  const auto second = link().Connected(kUntilStop);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->number, 2);
  // Somebody else finds the first one lost too.
  link().Lost(*first, absl::UnavailableError("away"));
  EXPECT_EQ(link().current()->port, second->port);
  EXPECT_EQ(second->port->stops, 0);
}

TEST_F(LastingLinkTest, ManyThatFindItLostMakeOneNewLink) {
  LoseOne();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      const auto found = link().Connected(kUntilStop);
      EXPECT_TRUE(found.ok());
      EXPECT_EQ(found->number, 2);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(attempts_, 2);
}

TEST_F(LastingLinkTest, WaitsForACoordinatorThatStartsLater) {
  Answer(absl::UnavailableError("not yet"));
  std::thread starting([this] {
    while (attempts_ < 3) std::this_thread::sleep_for(milliseconds(1));
    Answer(Session{"late", 1});
  });
  const auto found = link().Connected(kUntilStop);
  starting.join();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->session.id, "late");
  EXPECT_EQ(found->number, 1);
}

TEST_F(LastingLinkTest, StopEndsAllWaitingForACoordinator) {
  Answer(absl::UnavailableError("never"));
  options_.first_retry_s = options_.last_retry_s = 100;
  std::thread stopping([this] {
    while (attempts_ < 1) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(20));
    link().Stop();
  });
  const auto begin = Clock::now();
  EXPECT_TRUE(absl::IsCancelled(link().Connected(kUntilStop).status()));
  stopping.join();
  EXPECT_LT(Clock::now() - begin, seconds(10));
  EXPECT_TRUE(link().stopping());
  EXPECT_TRUE(link().failure().ok());
  link().Stop();
  EXPECT_EQ(stopped_, 1);
}

TEST_F(LastingLinkTest, StopEndsWaitingOverTheLink) {
  const auto found = link().Connected(kUntilStop);
  ASSERT_TRUE(found.ok());
  link().Stop();
  EXPECT_EQ(found->port->stops, 1);
}

// What is under way may be reported, over a new link too; nothing is leased
// there.
TEST_F(LastingLinkTest, GraceOutlastsStop) {
  options_.grace_s = 1;
  LoseOne();
  link().Stop();
  EXPECT_TRUE(link().Ended(kUntilStop));
  EXPECT_FALSE(link().Pause(100, kUntilStop));
  EXPECT_TRUE(absl::IsCancelled(link().Connected(kUntilStop).status()));
  EXPECT_FALSE(link().Ended(kUntilGraceEnds));
  const auto found = link().Connected(kUntilGraceEnds);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->port->stops, 1);
  const auto begin = Clock::now();
  EXPECT_FALSE(link().Pause(100, kUntilGraceEnds));
  EXPECT_LT(Clock::now() - begin, seconds(10));
  EXPECT_TRUE(link().Ended(kUntilGraceEnds));
}

TEST_F(LastingLinkTest, ARefusalEndsIt) {
  for (const absl::Status& refusal :
       {absl::UnauthenticatedError("the token is wrong"),
        absl::InvalidArgumentError("the endpoint file is wrong"),
        absl::FailedPreconditionError("other numerics")}) {
    link_.reset();
    stopped_ = 0;
    Answer(refusal);
    EXPECT_EQ(link().Connected(kUntilStop).status(), refusal);
    EXPECT_EQ(link().failure(), refusal);
    EXPECT_TRUE(link().stopping());
    EXPECT_TRUE(link().Ended(kUntilGraceEnds));
    EXPECT_EQ(stopped_, 1) << "its owner hears of it";
  }
}

TEST_F(LastingLinkTest, BearsWithATokenThatWorkedBefore) {
  LoseOne();
  Answer(absl::UnauthenticatedError("the token is wrong"));
  std::thread replacing([this] {
    while (attempts_ < 4) std::this_thread::sleep_for(milliseconds(1));
    Answer(Session{"new", 1});
  });
  const auto found = link().Connected(kUntilStop);
  replacing.join();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->number, 2);
}

TEST_F(LastingLinkTest, LosesPatienceWithATokenInTheEnd) {
  options_.token_patience_s = 0.2;
  LoseOne();
  Answer(absl::UnauthenticatedError("the token is wrong"));
  EXPECT_TRUE(absl::IsUnauthenticated(link().Connected(kUntilStop).status()));
  EXPECT_GT(attempts_, 2);
}

TEST_F(LastingLinkTest, PausesGetLonger) {
  options_.first_retry_s = 0.02;
  options_.last_retry_s = 0.06;
  LastingLink::Backoff backoff(link());
  const auto begin = Clock::now();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(backoff.Pause(kUntilStop));
  // 0.02, 0.04, 0.06 and 0.06 s, each up to a fifth shorter.
  EXPECT_GE(Clock::now() - begin, milliseconds(140));
}

}  // namespace
}  // namespace somafit
