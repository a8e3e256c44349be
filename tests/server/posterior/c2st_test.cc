#include "server/posterior/c2st.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/normal.h"

namespace somafit {
namespace {

using testing::HasSubstr;

std::vector<double> Normals(uint32_t stream, size_t n, double mean) {
  RandomStream random(1, StreamPurpose::kExample, 0, stream);
  std::vector<double> values(n);
  for (double& one : values) one = mean + StandardNormal(random);
  return values;
}

TEST(C2stTest, IsAHalfForOneDistribution) {
  const auto score = C2st(Normals(1, 6000, 0), Normals(2, 6000, 0), 2);
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_NEAR(score->score, 0.5, 0.02);
  EXPECT_EQ(score->of_fold.size(), 5u);
}

TEST(C2stTest, IsOneFarApart) {
  const auto score = C2st(Normals(1, 2000, 0), Normals(2, 2000, 6), 2);
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_GT(score->score, 0.99);
}

TEST(C2stTest, IsTheBestThatCanBeTold) {
  // Two normal distributions 1 apart: P(z < 0.5) right.
  const auto score =
      C2st(Normals(1, 4000, 0), Normals(2, 4000, 1), 1, {.folds = 3});
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_NEAR(score->score, NormalCdf(0.5), 0.015);
  const auto again =
      C2st(Normals(1, 4000, 0), Normals(2, 4000, 1), 1, {.folds = 3});
  EXPECT_EQ(again->of_fold, score->of_fold);
  const auto single = C2st(Normals(1, 4000, 0), Normals(2, 4000, 1), 1,
                           {.folds = 3, .single_precision = true});
  EXPECT_NEAR(single->score, score->score, 0.005);
}

TEST(C2stTest, SaysWhyThereIsNoScore) {
  std::vector<double> x = Normals(1, 100, 0), y = Normals(2, 100, 0);
  y[31] = NAN;
  EXPECT_THAT(std::string(C2st(x, y, 2).status().message()),
              HasSubstr("undefined: row 15 of the second sample holds nan"));
  EXPECT_FALSE(C2st(x, x, 3).ok());
  EXPECT_FALSE(C2st(std::vector<double>(6, 1.0), x, 2).ok());
  EXPECT_THAT(
      std::string(C2st(std::vector<double>(100, 1.0), x, 2).status().message()),
      HasSubstr("column 0 of the first sample has standard deviation 0"));
  EXPECT_EQ(C2st(x, x, 2, {.stop = [] { return true; }}).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace somafit
