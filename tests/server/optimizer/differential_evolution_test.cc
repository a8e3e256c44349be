#include <algorithm>

#include <gtest/gtest.h>

#include "server/optimizer/optimizer.h"
#include "tests/suites/optimizer_suite.h"

namespace somafit {
namespace {

std::unique_ptr<Optimizer> Make(size_t dimensions, double population, double f,
                                double cr) {
  return FindOptimizer("de")->make(
      {dimensions, {{"population", population}, {"F", f}, {"CR", cr}}});
}

std::vector<std::vector<double>> Ask(const Optimizer& optimizer, int64_t count,
                                     uint32_t round) {
  RandomStream random(1, StreamPurpose::kOptimizer, 0, round);
  return optimizer.Ask(count, random);
}

TEST(DifferentialEvolutionTest, FindsTheMinimum) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const auto optimizer = MakeOptimizer(*FindOptimizer("de"), 3);
    const auto told = RunRounds(*optimizer, seed, 0, 100, 30, Sphere);
    double best = 1;
    for (const Told& one : told) best = std::min(best, one.error);
    EXPECT_LT(best, 1e-12);
  }
}

TEST(DifferentialEvolutionTest, DrawsUniformlyUntilThePopulationIsTold) {
  const auto random = MakeOptimizer(*FindOptimizer("random"), 2);
  const auto de = Make(2, 8, 0.8, 0.5);
  // Longer than the population, and a second round while it is not full.
  EXPECT_EQ(Ask(*de, 20, 0), Ask(*random, 20, 0));
  const std::vector<Told> five(5, Told{{0.1, 0.2}, 1});
  de->Tell(five);
  EXPECT_EQ(Ask(*de, 20, 1), Ask(*random, 20, 1));
  de->Tell(five);
  EXPECT_NE(Ask(*de, 20, 2), Ask(*random, 20, 2));
}

TEST(DifferentialEvolutionTest, BreedsFromEachMemberInTurn) {
  // With F = 0 a child is its parent.
  const auto de = Make(2, 4, 0, 0.5);
  std::vector<Told> round;
  for (int i = 0; i < 4; ++i) round.push_back({{0.1 * i, 0.5}, 1.0 + i});
  de->Tell(round);
  auto points = Ask(*de, 6, 0);
  for (size_t k = 0; k < points.size(); ++k) {
    EXPECT_EQ(points[k], round[k % 4].point);
  }
  // Two more were told: the next belongs to the third member.
  de->Tell(std::vector<Told>{{{0.9, 0.9}, 0.5}, {{0.8, 0.8}, 9}});
  points = Ask(*de, 4, 0);
  EXPECT_EQ(points[0], round[2].point);
  EXPECT_EQ(points[1], round[3].point);
  EXPECT_EQ(points[2], (std::vector<double>{0.9, 0.9}));  // better: took over
  EXPECT_EQ(points[3], round[1].point);                   // worse: did not
}

TEST(DifferentialEvolutionTest, AcceptsAnEqualError) {
  const auto de = Make(1, 4, 0, 0.5);
  de->Tell(std::vector<Told>(4, Told{{0.1}, 1}));
  de->Tell(std::vector<Told>(4, Told{{0.2}, 1}));
  EXPECT_EQ(Ask(*de, 1, 0)[0][0], 0.2);
}

TEST(DifferentialEvolutionTest, TakesAtLeastOneCoordinateFromTheDonor) {
  // All members but the best are alike: the donor is x + F (best - x) plus a
  // multiple of the same difference.
  const auto de = Make(5, 4, 0.5, 0);
  std::vector<Told> round(4, Told{std::vector<double>(5, 0.4), 1});
  round[3] = {std::vector<double>(5, 0.6), 0};
  de->Tell(round);
  int changed_points = 0;
  for (uint32_t i = 0; i < 50; ++i) {
    const auto child = Ask(*de, 1, i)[0];
    const auto changed = std::count_if(child.begin(), child.end(),
                                       [](double x) { return x != 0.4; });
    EXPECT_LE(changed, 1);
    changed_points += static_cast<int>(changed);
  }
  EXPECT_GT(changed_points, 25);
}

}  // namespace
}  // namespace somafit
