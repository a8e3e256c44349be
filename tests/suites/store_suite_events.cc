#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "tests/suites/store_records.h"
#include "tests/suites/store_suite.h"

// What every store does with events, and in which order it commits.

namespace somafit {

TEST_P(StoreSuite, ReadsEventsBySequenceNumber) {
  Commit({NewFit{ExampleFit(1, "f")}});
  EventRecord state = Event(1, 1);
  state.time_us = 77;
  state.state = FitState::kPaused;
  state.reason = "USER";
  EventRecord round = Event(1, 2);
  round.time_us = 78;
  round.kind = EventRecord::Kind::kRound;
  round.stage = 1;
  round.round = 2;
  round.first_sample = 3;
  round.n_samples = 4;
  round.best_sample = 5;
  round.best_parameters = {1.0 / 3};
  round.best_error = 0.1;
  round.gated = true;
  Commit({state, round, Event(2, 1)});
  const auto events = store_->ReadEvents(1, 0, 9);
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].kind, EventRecord::Kind::kState);
  EXPECT_EQ((*events)[0].state, FitState::kPaused);
  EXPECT_EQ((*events)[0].reason, "USER");
  EXPECT_EQ((*events)[0].time_us, 77);
  EXPECT_EQ((*events)[1].kind, EventRecord::Kind::kRound);
  EXPECT_EQ((*events)[1].stage, 1);
  EXPECT_EQ((*events)[1].round, 2);
  EXPECT_EQ((*events)[1].first_sample, 3);
  EXPECT_EQ((*events)[1].n_samples, 4);
  EXPECT_EQ((*events)[1].best_sample, 5);
  EXPECT_EQ((*events)[1].best_parameters, round.best_parameters);
  EXPECT_EQ((*events)[1].best_error, 0.1);
  EXPECT_TRUE((*events)[1].gated);
  EXPECT_EQ(store_->ReadEvents(1, 1, 9)->size(), 1u);
  EXPECT_EQ(store_->ReadEvents(1, 0, 1)->size(), 1u);
}

// Many threads submit; each set's callback comes after its commit, in order.
TEST_P(StoreSuite, CallsBackInTheOrderOfSubmission) {
  Commit({NewFit{ExampleFit(1, "f")}});
  constexpr int kSets = 2000;
  std::vector<int> order;
  std::promise<void> last;
  for (int i = 0; i < kSets; ++i) {
    WriteSet writes;
    if (i % 3 != 0) writes.push_back(Event(1, i + 1));
    store_->Submit(std::move(writes), [&order, &last, i] {
      order.push_back(i);
      if (i == kSets - 1) last.set_value();
    });
  }
  last.get_future().get();
  ASSERT_EQ(order.size(), static_cast<size_t>(kSets));
  for (int i = 0; i < kSets; ++i) EXPECT_EQ(order[i], i);
  int64_t after = 0;
  const auto events = store_->ReadEvents(1, 0, kSets);
  ASSERT_TRUE(events.ok());
  for (const EventRecord& event : *events) {
    EXPECT_GT(event.seq, after);
    after = event.seq;
  }
}

TEST_P(StoreSuite, WhatWasCalledBackIsReadable) {
  Commit({NewFit{ExampleFit(1, "f")}});
  std::atomic<int> missing = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const int64_t seq = 1 + t * 1000 + i;
        std::promise<void> committed;
        store_->Submit({Event(1, seq)}, [&] { committed.set_value(); });
        committed.get_future().get();
        const auto events = store_->ReadEvents(1, seq - 1, 1);
        if (!events.ok() || events->empty() || (*events)[0].seq != seq) {
          ++missing;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missing, 0);
}

}  // namespace somafit
