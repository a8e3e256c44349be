// What every optimizer must do, whatever it is. It runs for each member of
// AllOptimizers.

#include "tests/suites/optimizer_suite.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace somafit {

double Sphere(const std::vector<double>& point) {
  double sum = 0;
  for (const double x : point) sum += (x - 0.3) * (x - 0.3);
  return sum;
}

double Rosenbrock(const std::vector<double>& point) {
  double sum = 0;
  for (size_t i = 0; i + 1 < point.size(); ++i) {
    const double x = 4 * point[i] - 2, y = 4 * point[i + 1] - 2;
    sum += 100 * (y - x * x) * (y - x * x) + (1 - x) * (1 - x);
  }
  return sum;
}

std::unique_ptr<Optimizer> MakeOptimizer(const OptimizerEntry& entry,
                                         size_t dimensions) {
  OptimizerConfig config;
  config.dimensions = dimensions;
  for (const OptionSpec& option : entry.options) {
    config.options[std::string(option.name)] = option.default_value;
  }
  return entry.make(config);
}

std::vector<Told> RunRounds(
    Optimizer& optimizer, uint64_t seed, uint32_t first, uint32_t last,
    int64_t count,
    const std::function<double(const std::vector<double>&)>& function) {
  std::vector<Told> all;
  for (uint32_t round = first; round < last; ++round) {
    RandomStream random(seed, StreamPurpose::kOptimizer, 0, round);
    std::vector<Told> told;
    for (auto& point : optimizer.Ask(count, random)) {
      const double error = function(point);
      told.push_back({std::move(point), error});
    }
    optimizer.Tell(told);
    all.insert(all.end(), told.begin(), told.end());
  }
  return all;
}

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class OptimizerSuite : public testing::TestWithParam<const OptimizerEntry*> {
 protected:
  std::unique_ptr<Optimizer> Make(size_t dimensions) {
    return MakeOptimizer(*GetParam(), dimensions);
  }
  static std::vector<std::vector<double>> Next(const Optimizer& optimizer,
                                               int64_t count = 40) {
    RandomStream random(99, StreamPurpose::kOptimizer, 0, 1000);
    return optimizer.Ask(count, random);
  }
};

TEST_P(OptimizerSuite, ProposesPointsOfTheCube) {
  for (const size_t dimensions : {1, 3, 20}) {
    const auto optimizer = Make(dimensions);
    // The best point lies in a corner, so that steps lead out of the cube.
    const auto told =
        RunRounds(*optimizer, 1, 0, 12, 37, [](const std::vector<double>& x) {
          double sum = 0;
          for (const double c : x) sum += c;
          return sum;
        });
    EXPECT_EQ(told.size(), 12u * 37);
    for (const Told& one : told) {
      ASSERT_EQ(one.point.size(), dimensions);
      for (const double c : one.point) {
        ASSERT_GE(c, 0);
        ASSERT_LE(c, 1);
      }
    }
  }
}

TEST_P(OptimizerSuite, IsAFunctionOfStateAndStream) {
  const auto one = Make(3), other = Make(3);
  RunRounds(*one, 4, 0, 5, 50, Sphere);
  RunRounds(*other, 4, 0, 5, 50, Sphere);
  EXPECT_EQ(Next(*one), Next(*other));
  // Asking changes nothing.
  Next(*one, 500);
  EXPECT_EQ(Next(*one), Next(*other));
  EXPECT_EQ(one->Snapshot(), other->Snapshot());
  // Another stream gives other points.
  RandomStream random(100, StreamPurpose::kOptimizer, 0, 1000);
  EXPECT_NE(one->Ask(40, random), Next(*other));
}

TEST_P(OptimizerSuite, AsksForAsManyAsWanted) {
  const auto optimizer = Make(2);
  for (const int64_t count : {0, 1, 29, 30, 31, 200}) {
    EXPECT_EQ(Next(*optimizer, count).size(), static_cast<size_t>(count));
  }
}

TEST_P(OptimizerSuite, WhatIsAboveItsLimitMakesNoDifference) {
  for (const int64_t count : {1, 7, 30, 100}) {
    const auto told_all = Make(3), told_less = Make(3);
    double best = kInf;
    size_t n_left_out = 0;
    for (uint32_t round = 0; round < 40; ++round) {
      const std::vector<double> limits = told_less->Limits(count, best);
      EXPECT_EQ(limits.empty(), !GetParam()->has_limits);
      if (limits.empty()) return;
      ASSERT_EQ(limits.size(), static_cast<size_t>(count));
      RandomStream random(8, StreamPurpose::kOptimizer, 0, round);
      std::vector<Told> all, less;
      for (auto& point : told_all->Ask(count, random)) {
        const double error = Rosenbrock(point);
        const bool left_out = error > limits[all.size()];
        n_left_out += left_out ? 1 : 0;
        less.push_back({point, left_out ? kInf : error});
        all.push_back({std::move(point), error});
        if (!left_out) best = std::min(best, error);
        EXPECT_LE(best, error);  // what is left out is never the best
      }
      told_all->Tell(all);
      told_less->Tell(less);
      ASSERT_EQ(told_less->Snapshot(), told_all->Snapshot());
      ASSERT_EQ(Next(*told_less), Next(*told_all));
    }
    EXPECT_GT(n_left_out, 0u);
  }
}

TEST_P(OptimizerSuite, ReplayAndRestoreGiveTheSameState) {
  for (const int64_t count : {1, 7, 30, 100}) {
    for (const uint32_t rounds : {0, 1, 2, 9}) {
      const auto original = Make(3);
      const auto told = RunRounds(*original, 11, 0, rounds, count, Rosenbrock);
      const auto replayed = Make(3);
      const auto n = static_cast<size_t>(count);
      for (size_t i = 0; i < told.size(); i += n) {
        replayed->Tell(std::span(told).subspan(i, n));
      }
      const auto restored = Make(3);
      RunRounds(*restored, 12, 0, 3, 50, Sphere);  // to be overwritten
      ASSERT_TRUE(restored->Restore(original->Snapshot()).ok());
      EXPECT_EQ(replayed->Snapshot(), original->Snapshot());
      EXPECT_EQ(restored->Snapshot(), original->Snapshot());
      EXPECT_EQ(Next(*replayed), Next(*original));
      EXPECT_EQ(Next(*restored), Next(*original));
      // And they stay the same.
      RunRounds(*restored, 11, rounds, rounds + 3, count, Rosenbrock);
      RunRounds(*original, 11, rounds, rounds + 3, count, Rosenbrock);
      EXPECT_EQ(restored->Snapshot(), original->Snapshot());
    }
  }
}

TEST_P(OptimizerSuite, SurvivesErrorsThatAreNoNumbers) {
  for (const double error : {kInf, kNaN, -kInf}) {
    const auto optimizer = Make(2);
    RunRounds(*optimizer, 1, 0, 3, 40,
              [error](const std::vector<double>&) { return error; });
    for (const auto& point : Next(*optimizer)) {
      for (const double c : point) EXPECT_TRUE(c >= 0 && c <= 1);
    }
    ASSERT_TRUE(Make(2)->Restore(optimizer->Snapshot()).ok());
    // Where there are numbers they count, and only they.
    const auto told = RunRounds(*optimizer, 1, 3, 30, 40,
                                [error](const std::vector<double>& x) {
                                  return x[0] < 0.5 ? error : Sphere(x);
                                });
    EXPECT_TRUE(std::any_of(told.begin(), told.end(), [](const Told& one) {
      return one.point[0] >= 0.5;
    }));
  }
}

TEST_P(OptimizerSuite, ImprovesOnItsFirstRound) {
  for (const auto& function : {&Sphere, &Rosenbrock}) {
    for (const uint64_t seed : {1, 2, 3}) {
      const auto optimizer = Make(3);
      const auto told = RunRounds(*optimizer, seed, 0, 30, 50, function);
      const auto best = [&told](size_t n) {
        double least = kInf;
        for (size_t i = 0; i < n; ++i) least = std::min(least, told[i].error);
        return least;
      };
      EXPECT_LT(best(told.size()), best(50));
    }
  }
}

TEST_P(OptimizerSuite, RefusesDamagedSnapshots) {
  const auto original = Make(3);
  RunRounds(*original, 1, 0, 3, 40, Sphere);
  const std::string good = original->Snapshot();
  const auto target = Make(3);
  RunRounds(*target, 2, 0, 2, 40, Sphere);
  const std::string before = target->Snapshot();
  const auto expect_refused = [&](const std::string& bytes) {
    EXPECT_EQ(target->Restore(bytes).code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(target->Snapshot(), before);  // left as it was
  };
  for (size_t size = 0; size < good.size(); ++size) {
    expect_refused(good.substr(0, size));
  }
  expect_refused(good + "x");
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      expect_refused(damaged);
    }
  }
  expect_refused(Make(4)->Snapshot());
  for (const OptimizerEntry* other : AllOptimizers()) {
    if (other != GetParam())
      expect_refused(MakeOptimizer(*other, 3)->Snapshot());
  }
  EXPECT_TRUE(target->Restore(good).ok());
}

TEST_P(OptimizerSuite, IsInTheCatalogue) {
  const OptimizerEntry& entry = *GetParam();
  EXPECT_EQ(FindOptimizer(entry.name), &entry);
  EXPECT_FALSE(entry.summary.empty());
  for (const OptionSpec& option : entry.options) {
    EXPECT_GE(option.default_value, option.minimum) << option.name;
    EXPECT_LE(option.default_value, option.maximum) << option.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerSuite,
                         testing::ValuesIn(AllOptimizers()),
                         [](const auto& test) {
                           return std::string(test.param->name);
                         });

}  // namespace
}  // namespace somafit
