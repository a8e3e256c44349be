#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "server/study/coordinator.h"
#include "tests/server/study/example_fit.h"
#include "worker/core/base/elementary.h"

namespace somafit {

// One word a write: what an effect consists of, in order.
std::string Describe(const WriteSet& writes);

// A coordinator with a fake shell: time that the test moves, effects at once.
class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest()
      : coordinator_({.lease_s = 30},
                     [this] { return absl::StrCat("secret", ++secrets_); }) {}

  Now now() const { return {time_s_, 1'000'000}; }

  // Ticks as the shell does, a few times a second.
  void Pass(double seconds, std::string* writes = nullptr) {
    for (const double end = time_s_ + seconds; time_s_ < end;) {
      time_s_ = std::min(end, time_s_ + 0.5);
      Effects effects;
      coordinator_.Tick(now(), effects);
      if (writes && !effects.writes.empty()) {
        absl::StrAppend(writes, writes->empty() ? "" : " | ",
                        Describe(effects.writes));
      }
      Follow(effects);
    }
  }

  // Calls back as the shell does after a commit; returns what that wrote.
  std::string Follow(const Effects& effects) {
    std::string written;
    for (const int64_t fit : effects.advance) {
      Effects more;
      coordinator_.Advance(fit, now(), more);
      absl::StrAppend(&written, Describe(more.writes));
    }
    return written;
  }

  FitRecord Create(FitPlan plan) {
    Effects effects;
    auto fit =
        coordinator_.CreateFit(std::move(plan), ExampleModel(), now(), effects);
    EXPECT_TRUE(fit.ok()) << fit.status();
    created_ = Describe(effects.writes);
    return *fit;
  }

  std::string Join(const std::string& name, int threads = 1) {
    auto session = coordinator_.Register(
        {name, "host", "1", threads, kNumericsVersion}, now());
    EXPECT_TRUE(session.ok()) << session.status();
    return session->session;
  }

  std::vector<Task> Lease(const std::string& session, int most = 1) {
    Effects effects;
    auto tasks = coordinator_.Lease(session, most, now(), effects);
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    return *tasks;
  }

  // Passes the time while the worker says every second that it holds `lease`;
  // returns what was written.
  std::string Hold(const std::string& session, const std::string& lease,
                   int seconds) {
    std::string written;
    for (int i = 0; i < seconds; ++i) {
      Pass(1, &written);
      Effects effects;
      EXPECT_TRUE(
          coordinator_.Heartbeat(session, {lease}, now(), effects).ok());
    }
    return written;
  }

  int64_t Report(const Coordinator::Report& report) {
    Effects effects;
    auto already = coordinator_.ReportResults(report, now(), effects);
    EXPECT_TRUE(already.ok()) << already.status();
    reported_ = Describe(effects.writes);
    advanced_ = Follow(effects);
    return *already;
  }

  // Simulates all that can be leased; returns what ended rounds wrote.
  std::vector<std::string> Work(const std::string& session,
                                size_t most_rounds = 1000) {
    std::vector<std::string> rounds;
    while (rounds.size() < most_rounds) {
      const auto tasks = Lease(session);
      if (tasks.empty()) break;
      Report(ExampleReport(session, tasks[0]));
      if (!advanced_.empty()) rounds.push_back(advanced_);
    }
    return rounds;
  }

  FitRecord Get(const std::string& name) {
    auto fit = coordinator_.GetFit(name, now());
    EXPECT_TRUE(fit.ok()) << fit.status();
    return *fit;
  }

  int secrets_ = 0;
  double time_s_ = 100;
  Coordinator coordinator_;
  std::string created_, reported_, advanced_;
};

}  // namespace somafit
