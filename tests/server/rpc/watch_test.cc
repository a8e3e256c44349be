#include <chrono>
#include <thread>

#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

using WatchTest = ServiceTest;

TEST_F(WatchTest, EveryEventOnceWhateverWhereItBegins) {
  const v1::Fit fit = Create(ExampleSpec(6, 30));
  Work(Register(), fit.name());
  grpc::Status status;
  const std::vector<v1::FitEvent> all = Watch(fit.name(), 0, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(static_cast<int64_t>(all.size()), Get(fit.name()).last_seq());
  int64_t samples = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].seq(), static_cast<int64_t>(i) + 1);
    for (const int64_t sample : all[i].round().samples().sample()) {
      EXPECT_EQ(sample, samples++);
    }
  }
  EXPECT_EQ(samples, 180);
  EXPECT_EQ(all.back().state().state(), v1::FIT_STATE_SUCCEEDED);
  for (int64_t after = 0; after <= Get(fit.name()).last_seq(); ++after) {
    const auto rest = Watch(fit.name(), after, &status);
    EXPECT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(rest.size(), all.size() - after);
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(rest[i].SerializeAsString(),
                all[after + i].SerializeAsString());
    }
  }
}

TEST_F(WatchTest, LiveAndResumed) {
  const v1::Fit fit = Create(ExampleSpec(5, 40));
  std::vector<v1::FitEvent> seen;
  std::thread watcher([&] {
    // Hangs up after every third event, and comes back.
    while (seen.empty() ||
           seen.back().state().state() != v1::FIT_STATE_SUCCEEDED) {
      int left = 3;
      const int64_t after = seen.empty() ? 0 : seen.back().seq();
      grpc::Status status;
      for (v1::FitEvent& event :
           Watch(fit.name(), after, &status,
                 [&](const v1::FitEvent&) { return --left == 0; })) {
        seen.push_back(std::move(event));
      }
      if (status.ok()) break;
      ASSERT_EQ(status.error_code(), grpc::StatusCode::CANCELLED)
          << status.error_message();
    }
  });
  Work(Register(), fit.name());
  watcher.join();
  ASSERT_EQ(static_cast<int64_t>(seen.size()), Get(fit.name()).last_seq());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].seq(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(WatchTest, ResumesAcrossARestart) {
  const v1::Fit fit = Create(ExampleSpec(5, 10));
  Work(Register(), fit.name(), 6);
  std::vector<v1::FitEvent> seen;
  grpc::Status status;
  std::thread watcher([&] { seen = Watch(fit.name(), 0, &status); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto begin = std::chrono::steady_clock::now();
  StopServer();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  watcher.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  StartServer();
  Work(Register(), fit.name());
  const auto rest =
      Watch(fit.name(), seen.empty() ? 0 : seen.back().seq(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  seen.insert(seen.end(), rest.begin(), rest.end());
  ASSERT_EQ(static_cast<int64_t>(seen.size()), Get(fit.name()).last_seq());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].seq(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(WatchTest, ADeletedFitEndsTheStream) {
  const v1::Fit fit = Create(ExampleSpec(5, 10));
  grpc::Status status;
  std::thread watcher([&] { Watch(fit.name(), 0, &status); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  v1::PauseFitRequest pause;
  pause.set_name(fit.name());
  v1::Fit paused;
  ASSERT_TRUE(fits_->PauseFit(Soon().get(), pause, &paused).ok());
  v1::DeleteFitRequest request;
  request.set_name(fit.name());
  v1::DeleteFitResponse response;
  ASSERT_TRUE(fits_->DeleteFit(Soon().get(), request, &response).ok());
  watcher.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND)
      << status.error_message();
}

TEST_F(WatchTest, RefusesPlacesThatDoNotExist) {
  const v1::Fit fit = Create(ExampleSpec(5, 10));
  grpc::Status status;
  EXPECT_TRUE(Watch(fit.name(), 1000, &status).empty());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_TRUE(Watch(fit.name(), -1, &status).empty());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Watch("fits/nobody", 0, &status).empty());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(WatchTest, ManyWatchersComeAndGo) {
  const v1::Fit fit = Create(ExampleSpec(5, 20));
  std::vector<std::thread> watchers;
  for (int n = 0; n < 20; ++n) {
    watchers.emplace_back([&, n] {
      for (int i = 0; i < 10; ++i) {
        int left = 1 + (n + i) % 4;
        Watch(fit.name(), 0, nullptr,
              [&](const v1::FitEvent&) { return --left == 0; });
      }
    });
  }
  Work(Register(), fit.name());
  for (std::thread& watcher : watchers) watcher.join();
  EXPECT_EQ(Get(fit.name()).state(), v1::FIT_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace somafit
