#include "worker/core/base/random.h"

#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace somafit {
namespace {

using Block = std::array<uint32_t, 4>;

// Known answers of the authors' library Random123.
TEST(Philox4x32Test, GivesTheKnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStreamTest, IsAFunctionOfItsKeysAlone) {
  RandomStream one(7, StreamPurpose::kOptimizer, 2, 3);
  RandomStream other(7, StreamPurpose::kOptimizer, 2, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.Bits(), other.Bits());
}

TEST(RandomStreamTest, DoesNotOverlapWithOtherStreams) {
  std::vector<RandomStream> streams = {
      {7, StreamPurpose::kOptimizer, 0, 0},
      {7, StreamPurpose::kExample, 0, 0},
      {7, StreamPurpose::kOptimizer, 1, 0},
      {7, StreamPurpose::kOptimizer, 0, 1},
      {8, StreamPurpose::kOptimizer, 0, 0},
      {7 + (uint64_t{1} << 32), StreamPurpose::kOptimizer, 0, 0}};
  std::set<uint64_t> seen;
  for (RandomStream& stream : streams) {
    for (int i = 0; i < 1000; ++i) seen.insert(stream.Bits());
  }
  EXPECT_EQ(seen.size(), 6000u);
}

TEST(RandomStreamTest, IsUniform) {
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  constexpr int kDraws = 1'000'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.0015);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.0015);
}

TEST(RandomStreamTest, DrawsEachIntegerBelowABoundEquallyOften) {
  RandomStream random(1, StreamPurpose::kExample, 0, 1);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70'000; ++i) ++counts[random.Below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(RandomStreamTest, DrawsStandardNormals) {
  RandomStream random(1, StreamPurpose::kExample, 0, 2);
  constexpr int kDraws = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
}

}  // namespace
}  // namespace somafit
