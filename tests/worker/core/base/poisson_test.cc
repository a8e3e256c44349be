#include "worker/core/base/poisson.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/base/noise.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLargest = 1 - 0x1p-53;

std::vector<double> Uniforms(int64_t n, uint64_t seed) {
  const std::vector<NoiseKind> kinds = {NoiseKind::kUniform};
  std::vector<double> numbers(n);
  FillNoise(seed, 0, {{0}}, kinds, 0, n, numbers.data());
  return numbers;
}

long double Probability(long double mean, long double k) {
  return std::exp(k * std::log(mean) - mean - std::lgamma(k + 1));
}

struct Bin {
  double last;  // the largest variate in it
  double expected;
  double observed = 0;
};

// Neighbouring variates of a hundredth of all together, or more.
std::vector<Bin> Bins(double mean, double n_draws) {
  const double reach = 12 * std::sqrt(mean) + 30;
  std::vector<Bin> bins;
  long double sum = 0, of_all = 0;
  for (double k = std::fmax(0, std::floor(mean - reach)); k < mean + reach;
       ++k) {
    sum += Probability(mean, k);
    if (sum < 0.01L) continue;
    of_all += sum;
    bins.push_back({k, n_draws * static_cast<double>(sum)});
    sum = 0;
  }
  bins.push_back({kInf, n_draws * static_cast<double>(1 - of_all)});
  return bins;
}

TEST(PoissonTest, HasItsDistribution) {
  constexpr int64_t kDraws = 1'000'000;
  const double n = kDraws;
  for (const double mean :
       {0.1, 3.0, 15.9, 16.0, 40.0, 500.5, 1000.0, 1024.0, 5000.25, 1e7}) {
    std::vector<Bin> bins = Bins(mean, n);
    double sum = 0, squares = 0;
    for (const double uniform : Uniforms(kDraws, 17)) {
      const double k = Poisson(mean, uniform);
      ASSERT_EQ(k, std::floor(k));
      ASSERT_GE(k, 0);
      sum += k - mean;
      squares += (k - mean) * (k - mean);
      size_t bin = 0;
      while (k > bins[bin].last) ++bin;
      ++bins[bin].observed;
    }
    // Five standard deviations.
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(mean / n)) << mean;
    EXPECT_NEAR(squares / n, mean, 5 * std::sqrt((2 * mean * mean + mean) / n))
        << mean;
    double chi_square = 0;
    for (const Bin& bin : bins) {
      ASSERT_GT(bin.expected, 5) << mean;
      chi_square += std::pow(bin.observed - bin.expected, 2) / bin.expected;
    }
    const double freedom = static_cast<double>(bins.size()) - 1;
    EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom)) << mean;
  }
}

// From 0 and by expansion a variate is the least whose distribution function
// exceeds the uniform.
TEST(PoissonTest, InvertsTheDistribution) {
  for (const double mean : {0.01, 1.0, 15.99, 1024.0, 3000.7, 40'000.3}) {
    std::vector<long double> sums = {0};  // sums[k]: of variates below k
    for (double k = 0; k < mean + 12 * std::sqrt(mean) + 30; ++k) {
      sums.push_back(sums.back() + Probability(mean, k));
    }
    int wrong = 0;
    for (const double uniform : Uniforms(100'000, 23)) {
      const auto k = static_cast<size_t>(Poisson(mean, uniform));
      ASSERT_LT(k + 1, sums.size());
      if (uniform < sums[k] - 1e-14L || uniform >= sums[k + 1] + 1e-14L) {
        ++wrong;
        // What the expansion leaves out is far less than 1.
        EXPECT_NEAR(uniform, static_cast<double>(sums[k]), 1e-6);
      }
    }
    EXPECT_LE(wrong, mean < 16 ? 0 : 2) << mean;
  }
}

TEST(PoissonTest, OfExtremeMeansAndUniforms) {
  EXPECT_TRUE(std::isnan(Poisson(kNaN, 0.5)));
  for (const double mean : {0.0, -0.0, -1.0, -1e300, -kInf}) {
    EXPECT_EQ(Poisson(mean, 0.5), 0) << mean;
    EXPECT_FALSE(std::signbit(Poisson(mean, 0.5)));
  }
  EXPECT_EQ(Poisson(kInf, 0.5), kInf);
  EXPECT_EQ(Poisson(1e300, 0.5), 0x1p53);
  EXPECT_EQ(Poisson(0x1p54, 0), 0x1p53);
  EXPECT_EQ(Poisson(1e-300, kLargest), 0);
  EXPECT_EQ(Poisson(std::numeric_limits<double>::denorm_min(), 0.5), 0);
  for (double mean = 1e-4; mean < 1e15; mean *= 1.1) {
    const double root = std::sqrt(mean);
    for (const double uniform : {0.0, 0x1p-52, 0.5, 1 - 0x1p-52, kLargest}) {
      const double k = Poisson(mean, uniform);
      EXPECT_EQ(k, std::floor(k));
      EXPECT_GE(k, mean - 9 * root) << mean << " " << uniform;
      EXPECT_LE(k, mean + 10 * root + 20) << mean << " " << uniform;
    }
  }
  for (double mean = 1024; mean < 1e15; mean *= 1.1) {
    const double root = std::sqrt(mean);
    EXPECT_LT(Poisson(mean, 0), mean - 6 * root);
    EXPECT_GT(Poisson(mean, kLargest), mean + 6 * root);
    EXPECT_NEAR(Poisson(mean, 0.5), mean, 1);
  }
}

}  // namespace
}  // namespace somafit
