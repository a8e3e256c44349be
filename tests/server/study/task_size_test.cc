#include "server/study/task_size.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(SpeedEstimateTest, FollowsWhatTasksTake) {
  SpeedEstimate estimate;
  EXPECT_FALSE(estimate.samples_per_s());
  estimate.Add(0, 1);
  EXPECT_FALSE(estimate.samples_per_s());
  estimate.Add(1000, 1);
  EXPECT_NEAR(*estimate.samples_per_s(), 1000, 1e-6);
  for (int i = 0; i < 10; ++i) estimate.Add(1000, 0.25);
  EXPECT_NEAR(*estimate.samples_per_s(), 4000, 20);
}

TEST(SpeedEstimateTest, TasksThatFillNoVectorSayLittle) {
  SpeedEstimate estimate;
  estimate.Add(160, 0.1);
  estimate.Add(1, 0.01);  // as long as 16
  EXPECT_GT(*estimate.samples_per_s(), 1000);
  estimate.Add(160, 0.1);
  EXPECT_GT(*estimate.samples_per_s(), 1250);
  SpeedEstimate other;
  other.Add(1, 0.01);  // nothing else is known
  EXPECT_NEAR(*other.samples_per_s(), 100, 1e-6);
}

TEST(SpeedEstimateTest, BearsNonsense) {
  SpeedEstimate estimate;
  estimate.Add(1'000'000, 0);
  EXPECT_GT(*estimate.samples_per_s(), 0);
  estimate.Add(1, 1e18);
  EXPECT_GT(*estimate.samples_per_s(), 0);
  TaskRequest request{.pending = 100, .limit = 4096};
  for (const double speed : {1e-300, 1e300}) {
    request.speed = request.total_speed = speed;
    request.measured = true;
    EXPECT_GE(TaskSize(request), 1);
    EXPECT_LE(TaskSize(request), 100);
  }
}

TEST(TaskSizeTest, FollowsShareAndSpeed) {
  struct Case {
    const char* what;
    TaskRequest request;
    int64_t expected;
  };
  const Case cases[] = {
      {"little is known: a little", {.pending = 1000, .limit = 4096}, 32},
      {"of each thread",
       {.pending = 10'000,
        .threads = 4,
        .speed = 4,
        .total_speed = 4,
        .limit = 4096},
       128},
      {"a small round, alone: whole vectors", {.pending = 30, .limit = 99}, 16},
      {"the rest of it",
       {.pending = 14, .leased = 16, .held = 16, .limit = 99},
       14},
      {"a small round, two workers",
       {.pending = 30, .total_speed = 2, .limit = 99},
       15},
      {"the second of them",
       {.pending = 15, .leased = 15, .total_speed = 2, .limit = 99},
       15},
      {"what others will do sooner",
       {.pending = 15, .leased = 15, .held = 15, .total_speed = 2, .limit = 99},
       0},
      {"one of many, holding nothing",
       {.pending = 5, .leased = 95, .total_speed = 1000, .limit = 99},
       1},
      {"a vector for each of many slow threads",
       {.pending = 100'000,
        .threads = 64,
        .speed = 100,
        .total_speed = 100,
        .measured = true,
        .limit = 4096},
       1024},
      {"100 ms",
       {.pending = 100'000,
        .speed = 10'000,
        .total_speed = 10'000,
        .measured = true,
        .limit = 4096},
       992},
      {"slow: a vector at least",
       {.pending = 100'000,
        .speed = 1,
        .total_speed = 1,
        .measured = true,
        .limit = 4096},
       16},
      {"at the end half of the share",
       {.pending = 800,
        .speed = 10'000,
        .total_speed = 10'000,
        .measured = true,
        .limit = 4096},
       400},
      {"but 10 ms",
       {.pending = 150,
        .speed = 10'000,
        .total_speed = 10'000,
        .measured = true,
        .limit = 4096},
       96},
      {"fast: the limit",
       {.pending = 100'000,
        .speed = 1e9,
        .total_speed = 1e9,
        .measured = true,
        .limit = 700},
       700},
      {"a total that leaves this worker out",
       {.pending = 8, .total_speed = 0, .limit = 99},
       8},
      {"the limit is at least one", {.pending = 8, .limit = 0}, 1},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(TaskSize(c.request), c.expected) << c.what;
  }
}

TEST(TaskSizeTest, ReportsOfManyTracesStaySmall) {
  EXPECT_EQ(LargestTask(4, 1, 3), 4096);
  EXPECT_LE(LargestTask(4, 2, 100'000) * 2 * 100'000 * 8, 4 << 20);
  EXPECT_EQ(LargestTask(4, 64, 100'000), 1);
}

}  // namespace
}  // namespace somafit
