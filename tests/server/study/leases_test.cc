#include "server/study/leases.h"

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

TEST(PendingRangesTest, NewSamplesContinueARangeThatIsNewToo) {
  PendingRanges pending;
  pending.AddNew(0, 4);
  pending.AddNew(4, 4);
  EXPECT_EQ(pending.count(), 8);
  EXPECT_EQ(pending.Take(6, 0)->count, 6);
  pending.AddNew(8, 4);
  EXPECT_EQ(pending.Take(9, 0)->count, 6);
  pending.Add({.first = 6, .count = 6, .attempts = 1});
  pending.AddNew(12, 4);
  EXPECT_EQ(pending.Take(9, 0)->count, 6);
  EXPECT_EQ(pending.Take(9, 0)->attempts, 0);
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

TEST(RetryDelayTest, DoublesUpToHalfAMinute) {
  EXPECT_EQ(RetryDelay(1), 0.5);
  EXPECT_EQ(RetryDelay(2), 1);
  EXPECT_EQ(RetryDelay(3), 2);
  EXPECT_EQ(RetryDelay(1000), 30);
}

}  // namespace
}  // namespace somafit
