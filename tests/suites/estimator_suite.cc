// What every density estimator must do, whatever it is. It runs for each member
// of AllNets.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "server/inference/estimator_file.h"
#include "tests/server/inference/random_estimator.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

const std::vector<double> kX = {0.4, -1.1};
const std::vector<double> kOtherX = {-1.5, 0.8};
// Parameters as they come: far from 1, and far apart.
const std::vector<TestScale> kScales = {{2e-12, 3e-13}, {-65, 8}, {1e3, 40}};

class EstimatorSuite : public testing::TestWithParam<const NetEntry*> {
 protected:
  static std::vector<TestScale> Scales(size_t d) {
    return {kScales.begin(), kScales.begin() + static_cast<int64_t>(d)};
  }
  std::unique_ptr<TrainedEstimator> Make(
      size_t d, ThetaSpace space = ThetaSpace::kBounded, uint64_t seed = 1) {
    return RandomEstimator(TestSpec(GetParam()->name, Scales(d), 2, space),
                           Scales(d), seed);
  }
  // Points spread over where the density is.
  static std::vector<double> Points(size_t d, size_t n) {
    RandomStream random(5, StreamPurpose::kExample, 0, 0);
    std::vector<double> theta;
    for (size_t i = 0; i < n * d; ++i) {
      const auto& [shift, scale] = kScales[i % d];
      theta.push_back(shift + scale * (5 * random.Uniform() - 2.5));
    }
    return theta;
  }
};

// Mass, mean and variance by the midpoint rule over shift -+ range * scale.
struct Integral {
  double mass = 0;
  std::vector<double> mean, variance;
};
Integral Integrate(const TrainedEstimator& estimator,
                   const std::vector<double>& x, double range, int n) {
  const size_t d = estimator.n_parameters();
  std::vector<double> theta;
  double cell = 1;
  for (size_t c = 0; c < d; ++c) cell *= 2 * range * kScales[c].scale / n;
  const int n_cells = static_cast<int>(std::pow(n, d));
  for (int i = 0; i < n_cells; ++i) {
    for (size_t c = 0; c < d; ++c) {
      const int step = c == 0 ? i % n : i / n;
      theta.push_back(kScales[c].shift +
                      kScales[c].scale * range * (2 * (step + 0.5) / n - 1));
    }
  }
  std::vector<double> log_density(n_cells);
  estimator.LogDensity(theta, x, log_density);
  Integral result{0, std::vector<double>(d, 0), std::vector<double>(d, 0)};
  for (int i = 0; i < n_cells; ++i) {
    const double mass = std::exp(log_density[i]) * cell;
    result.mass += mass;
    for (size_t c = 0; c < d; ++c) {
      const double z = (theta[i * d + c] - kScales[c].shift) / kScales[c].scale;
      result.mean[c] += mass * z;
      result.variance[c] += mass * z * z;
    }
  }
  for (size_t c = 0; c < d; ++c) {
    result.mean[c] /= result.mass;
    result.variance[c] =
        result.variance[c] / result.mass - result.mean[c] * result.mean[c];
  }
  return result;
}

TEST_P(EstimatorSuite, IntegratesToOne) {
  for (const auto& x : {kX, kOtherX, std::vector<double>{0, 3}}) {
    EXPECT_NEAR(Integrate(*Make(1), x, 15, 6000).mass, 1, 1e-4);
    EXPECT_NEAR(Integrate(*Make(2), x, 12, 500).mass, 1, 2e-3);
    // Nothing is outside of the bounds, at 4 scales. (The density may be steep
    // there.)
    EXPECT_NEAR(
        Integrate(*Make(1, ThetaSpace::kUnconstrained), x, 4, 6000).mass, 1,
        1e-3);
    EXPECT_NEAR(Integrate(*Make(2, ThetaSpace::kUnconstrained), x, 4, 500).mass,
                1, 5e-3);
  }
}

TEST_P(EstimatorSuite, DrawsFromItsDensity) {
  constexpr size_t kDraws = 40'000;
  for (const ThetaSpace space :
       {ThetaSpace::kBounded, ThetaSpace::kUnconstrained}) {
    for (const size_t d : {1, 2}) {
      const auto estimator = Make(d, space);
      const bool bounded = space == ThetaSpace::kBounded;
      const Integral expected =
          Integrate(*estimator, kX, bounded ? 12 : 4, d == 1 ? 6000 : 500);
      std::vector<double> theta(kDraws * d), log_density(kDraws);
      estimator->Sample(kX, {3, 4}, 0, theta, log_density);
      for (size_t c = 0; c < d; ++c) {
        double mean = 0, squares = 0;
        for (size_t i = 0; i < kDraws; ++i) {
          const double z =
              (theta[i * d + c] - kScales[c].shift) / kScales[c].scale;
          mean += z / kDraws;
          squares += z * z / kDraws;
        }
        const double variance = squares - mean * mean;
        // Five standard errors, with room for a kurtosis of 11.
        EXPECT_NEAR(mean, expected.mean[c],
                    5 * std::sqrt(expected.variance[c] / kDraws) + 2e-3);
        EXPECT_NEAR(variance / expected.variance[c], 1,
                    5 * std::sqrt(10.0 / kDraws) + 5e-3);
      }
    }
  }
}

TEST_P(EstimatorSuite, ReportsTheDensityOfItsDraws) {
  for (const ThetaSpace space :
       {ThetaSpace::kBounded, ThetaSpace::kUnconstrained}) {
    for (const size_t d : {1, 2, 3}) {
      const auto estimator = Make(d, space);
      std::vector<double> theta(700 * d), reported(700), evaluated(700);
      estimator->Sample(kX, {1, 2}, 0, theta, reported);
      estimator->LogDensity(theta, kX, evaluated);
      for (size_t i = 0; i < reported.size(); ++i) {
        ASSERT_NEAR(reported[i], evaluated[i], 2e-3) << i << " of d " << d;
      }
    }
  }
}

TEST_P(EstimatorSuite, DrawsTheSameWhateverElseIsDrawn) {
  const size_t d = 3;
  const auto estimator = Make(d);
  std::vector<double> all(1000 * d), all_density(1000);
  estimator->Sample(kX, {1, 2}, 0, all, all_density);
  for (const int64_t first : {0, 1, 255, 256, 257, 700}) {
    for (const size_t n : {size_t{1}, size_t{3}, size_t{300}}) {
      std::vector<double> theta(n * d), log_density(n);
      estimator->Sample(kX, {1, 2}, first, theta, log_density);
      for (size_t i = 0; i < n; ++i) {
        const size_t k = static_cast<size_t>(first) + i;
        EXPECT_EQ(log_density[i], all_density[k]);
        for (size_t c = 0; c < d; ++c) {
          EXPECT_EQ(theta[i * d + c], all[k * d + c]);
        }
      }
    }
  }
  std::vector<double> other(d), other_density(1);
  for (const DrawKey key : {DrawKey{1, 3}, DrawKey{2, 2}}) {
    estimator->Sample(kX, key, 0, other, other_density);
    EXPECT_NE(other[0], all[0]);
  }
}

TEST_P(EstimatorSuite, EvaluatesARowTheSameWhateverItsNeighbours) {
  const size_t d = 3, n = 600;
  const auto estimator = Make(d);
  const std::vector<double> theta = Points(d, n);
  std::vector<double> all(n);
  estimator->LogDensity(theta, kX, all);
  for (const size_t count : {1, 7, 256, 300}) {
    std::vector<double> some(count);
    estimator->LogDensity(std::span(theta).first(count * d), kX, some);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(some[i], all[i]);
  }
  // Every second row is another one, some without a density.
  std::vector<double> others = theta;
  for (size_t i = d; i < others.size(); i += 2 * d) {
    others[i] =
        i % 7 == 0 ? std::numeric_limits<double>::infinity() : kScales[0].shift;
  }
  std::vector<double> changed(n);
  estimator->LogDensity(others, kX, changed);
  for (size_t i = 0; i < n; i += 2) EXPECT_EQ(changed[i], all[i]);
}

TEST_P(EstimatorSuite, EvaluatesPairs) {
  const size_t d = 2, n = 300;
  const auto estimator = Make(d);
  const std::vector<double> theta = Points(d, n);
  std::vector<double> x, pairs(n), one(1);
  for (size_t i = 0; i < n; ++i) {
    x.push_back(std::sin(static_cast<double>(i)));
    x.push_back(0.01 * static_cast<double>(i));
  }
  x[2 * 7] = std::numeric_limits<double>::quiet_NaN();
  estimator->LogDensityOfPairs(theta, x, pairs);
  for (size_t i = 0; i < n; ++i) {
    estimator->LogDensity(std::span(theta).subspan(i * d, d),
                          std::span(x).subspan(2 * i, 2), one);
    if (i == 7) {
      EXPECT_TRUE(std::isnan(pairs[i]) && std::isnan(one[0]));
    } else {
      EXPECT_NEAR(pairs[i], one[0], 2e-4);
    }
  }
}

TEST_P(EstimatorSuite, HasTheGradientOfItsDensity) {
  for (const ThetaSpace space :
       {ThetaSpace::kBounded, ThetaSpace::kUnconstrained}) {
    for (const size_t d : {1, 3}) {
      const auto estimator = Make(d, space);
      const std::vector<double> theta = Points(d, 60);
      std::vector<double> log_density(60), gradient(60 * d), plain(60);
      estimator->LogDensityGradient(theta, kX, log_density, gradient);
      estimator->LogDensity(theta, kX, plain);
      std::vector<double> errors;
      for (size_t i = 0; i < 60; ++i) {
        EXPECT_NEAR(log_density[i], plain[i], 1e-4);
        for (size_t c = 0; c < d; ++c) {
          const double step = 2e-3 * kScales[c].scale;
          std::vector<double> two(theta.begin() + i * d,
                                  theta.begin() + (i + 1) * d);
          two.insert(two.end(), two.begin(), two.end());
          two[c] -= step;
          two[d + c] += step;
          std::vector<double> values(2);
          estimator->LogDensity(two, kX, values);
          const double difference = (values[1] - values[0]) / (2 * step);
          errors.push_back(std::abs(gradient[i * d + c] - difference) *
                           kScales[c].scale);
        }
      }
      // Kinks and the rounding of single precision spoil a few differences.
      std::sort(errors.begin(), errors.end());
      EXPECT_LT(errors[errors.size() * 8 / 10], 2e-2);
    }
  }
}

TEST_P(EstimatorSuite, ConditionsEveryParameterOnTheData) {
  EstimatorSpec spec = TestSpec(GetParam()->name, kScales);
  // With one transform nothing hides a feature that misses the context.
  if (spec.net == "maf") spec.options["num_transforms"] = 1;
  const auto estimator = RandomEstimator(spec, kScales, 1);
  std::vector<double> one(3 * 20), other(3 * 20), log_density(20);
  estimator->Sample(kX, {1, 2}, 0, one, log_density);
  estimator->Sample(kOtherX, {1, 2}, 0, other, log_density);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_GT(std::abs(one[i] - other[i]) / kScales[i % 3].scale, 1e-5) << i;
  }
}

TEST_P(EstimatorSuite, HasNoDensityWhereParametersCannotLie) {
  const auto estimator = Make(1, ThetaSpace::kUnconstrained);
  const double inf = std::numeric_limits<double>::infinity();
  const Support bounds = estimator->spec().support[0];
  const std::vector<double> theta = {bounds.lower - 1e-12, bounds.upper, inf,
                                     -inf, bounds.lower};
  std::vector<double> log_density(5), gradient(5);
  estimator->LogDensityGradient(theta, kX, log_density, gradient);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(log_density[i], -inf);
  EXPECT_FALSE(std::isnan(log_density[4]));
  std::vector<double> draws(5000), densities(5000);
  estimator->Sample(kX, {1, 1}, 0, draws, densities);
  for (const double draw : draws) {
    EXPECT_TRUE(draw >= bounds.lower && draw < bounds.upper);
  }
}

TEST_P(EstimatorSuite, ReadsBackWhatItWrote) {
  for (const size_t d : {1, 3}) {
    const auto estimator = Make(d, ThetaSpace::kUnconstrained);
    const std::string bytes = EncodeEstimator(*estimator);
    const auto back = DecodeEstimator(bytes);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(EncodeEstimator(**back), bytes);
    const std::vector<double> theta = Points(d, 50);
    std::vector<double> one(50), other(50);
    estimator->LogDensity(theta, kX, one);
    (*back)->LogDensity(theta, kX, other);
    EXPECT_EQ(one, other);
  }
}

TEST_P(EstimatorSuite, RefusesDamagedFiles) {
  const std::string bytes = EncodeEstimator(*Make(2));
  for (size_t size = 0; size < bytes.size();
       size += size < 2000 ? 13 : bytes.size() / 40) {
    const auto cut = DecodeEstimator(bytes.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(cut.status())) << size << cut.status();
  }
  for (size_t at = 0; at < bytes.size();
       at += at < 800 ? 1 : bytes.size() / 40) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    const auto read = DecodeEstimator(damaged);
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << at << read.status();
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeEstimator(bytes + "x").status()));
}

INSTANTIATE_TEST_SUITE_P(AllNets, EstimatorSuite, testing::ValuesIn(AllNets()),
                         [](const auto& own) {
                           return std::string(own.param->name);
                         });

}  // namespace
}  // namespace somafit
