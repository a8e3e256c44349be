#include "server/study/leases.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(PendingRangesTest, TakesFromTheFrontAndKeepsHistory) {
  PendingRanges pending;
  pending.Add({.first = 10, .count = 5, .attempts = 2, .losses = 1});
  pending.Add({.first = 0, .count = 3});
  const auto first = pending.Take(2, 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, 0);
  EXPECT_EQ(first->count, 2);
  EXPECT_EQ(first->attempts, 0);
  EXPECT_EQ(pending.Take(9, 0)->count, 1);
  const auto last = pending.Take(9, 0);
  EXPECT_EQ(last->first, 10);
  EXPECT_EQ(last->count, 5);
  EXPECT_EQ(last->attempts, 2);
  EXPECT_EQ(last->losses, 1);
  EXPECT_EQ(pending.count(), 0);
  EXPECT_FALSE(pending.Take(1, 0));
}

TEST(PendingRangesTest, DelayedRangesWaitAndLetOthersPass) {
  PendingRanges pending;
  pending.Add({.first = 0, .count = 4, .attempts = 1, .not_before_s = 5});
  EXPECT_FALSE(pending.HasReady(4.9));
  EXPECT_FALSE(pending.Take(1, 4.9));
  pending.Add({.first = 4, .count = 1});
  EXPECT_EQ(pending.Take(9, 4.9)->first, 4);
  EXPECT_TRUE(pending.BecameReady(4.9, 5));
  EXPECT_FALSE(pending.BecameReady(5, 6));
  EXPECT_EQ(pending.Take(9, 5)->first, 0);
}

TEST(PendingRangesTest, RemovesSingleSamples) {
  PendingRanges pending;
  pending.Add({.first = 0, .count = 5, .attempts = 1});
  pending.Remove(2);
  pending.Remove(2);
  pending.Remove(7);
  pending.Remove(0);
  EXPECT_EQ(pending.count(), 3);
  EXPECT_EQ(pending.Take(9, 0)->first, 1);
  const auto rest = pending.Take(9, 0);
  EXPECT_EQ(rest->first, 3);
  EXPECT_EQ(rest->count, 2);
  EXPECT_EQ(rest->attempts, 1);
}

// Workers that take in turn share a round in proportion to their threads.
TEST(TaskSizeTest, SharesARoundOfAHundredAmongAll) {
  const std::vector<int> threads = {1, 2, 8};
  std::vector<int64_t> got(threads.size());
  int64_t pending = 100;
  std::vector<int64_t> sizes;
  for (size_t turn = 0; pending > 0; ++turn) {
    const size_t worker = turn % threads.size();
    const int64_t n =
        std::min(pending, TaskSize(pending, threads[worker], 11, 4096));
    ASSERT_GE(n, 1);
    got[worker] += n;
    pending -= n;
    sizes.push_back(n);
  }
  EXPECT_GE(got[0], 8);
  EXPECT_GE(got[1], 8);
  EXPECT_GT(got[2], got[0]);
  EXPECT_LE(sizes[2], 50);
}

TEST(TaskSizeTest, StaysInItsLimits) {
  struct Case {
    int64_t pending;
    int threads;
    int64_t total;
    int64_t limit;
    int64_t expected;
  };
  const Case cases[] = {
      {1, 1, 1, 4096, 1},        {16, 1, 1, 4096, 8},
      {100, 1, 1, 4096, 50},     {10, 1, 10, 4096, 1},
      {20, 1, 10, 4096, 2},      {100'000, 8, 8, 4096, 4096},
      {100'000, 8, 8, 100, 100}, {100, 4, 0, 4096, 50},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(TaskSize(c.pending, c.threads, c.total, c.limit), c.expected)
        << c.pending << " " << c.threads << " " << c.total;
  }
}

TEST(TaskSizeTest, ReportsOfManyTracesStaySmall) {
  EXPECT_EQ(LargestTask(4, 1, 3), 4096);
  EXPECT_LE(LargestTask(4, 2, 100'000) * 2 * 100'000 * 8, 4 << 20);
  EXPECT_EQ(LargestTask(4, 64, 100'000), 1);
}

TEST(RetryDelayTest, DoublesUpToHalfAMinute) {
  EXPECT_EQ(RetryDelay(1), 0.5);
  EXPECT_EQ(RetryDelay(2), 1);
  EXPECT_EQ(RetryDelay(3), 2);
  EXPECT_EQ(RetryDelay(1000), 30);
}

}  // namespace
}  // namespace somafit
