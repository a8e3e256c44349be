#include "worker/core/base/noise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/base/noise_kernel.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

constexpr NoiseKind kNormal = NoiseKind::kNormal;
constexpr NoiseKind kUniform = NoiseKind::kUniform;

std::vector<double> Draw(const NoiseKey& key, std::vector<NoiseKind> kinds,
                         int64_t begin, int64_t end) {
  std::vector<double> numbers(kinds.size() * (end - begin));
  FillNoise(key.seed, key.trace, {{key.realization}}, kinds, begin, end,
            numbers.data());
  return numbers;
}

std::vector<uint64_t> Range(uint64_t n) {
  std::vector<uint64_t> realizations(n);
  for (uint64_t i = 0; i < n; ++i) realizations[i] = i;
  return realizations;
}

std::vector<uint64_t> BitsOf(const std::vector<double>& numbers) {
  std::vector<uint64_t> bits;
  for (const double x : numbers) bits.push_back(std::bit_cast<uint64_t>(x));
  return bits;
}

// What the header and noise_kernel.h say, from the reference's Philox and with
// 11 more bits than double has.
long double FromFirstPrinciples(const NoiseKey& key, uint32_t source,
                                NoiseKind kind, int64_t step) {
  const auto pair = static_cast<uint32_t>(step < 0 ? 0xffffffff : step / 2);
  const auto block = Philox4x32(
      {pair, static_cast<uint32_t>(key.realization),
       key.trace << 12 | static_cast<uint32_t>(key.realization >> 32),
       source << 8 | 3},
      {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
  const uint64_t first = uint64_t{block[1]} << 32 | block[0];
  const uint64_t second = uint64_t{block[3]} << 32 | block[2];
  const bool odd = step >= 0 && step % 2 == 1;
  const auto uniform = [](uint64_t bits) {
    return static_cast<long double>(bits >> 12) * 0x1p-52L;
  };
  if (kind == kUniform) return uniform(odd ? second : first);
  constexpr auto kPi = std::numbers::pi_v<long double>;
  const long double radius = std::sqrt(-2 * std::log(1 - uniform(first)));
  long double direction = kPi / 2 * uniform(second);  // in the first quadrant
  if (second & 1) direction = kPi - direction;
  if (second & 2) direction = -direction;
  return radius * (odd ? std::sin(direction) : std::cos(direction));
}

TEST(NoiseTest, IsBoxAndMullersOfPhilox) {
  long double worst = 0;
  for (const NoiseKey& key : std::vector<NoiseKey>{
           {},
           {1, 2, 3},
           {uint64_t{7} << 32 | 5, (uint64_t{1} << 44) - 1, (1 << 20) - 1}}) {
    const std::vector<NoiseKind> kinds = {kNormal, kUniform, kNormal};
    for (const int64_t begin :
         {int64_t{-1}, int64_t{1001}, int64_t{0xfffffffe} - 5000}) {
      const std::vector<double> numbers = Draw(key, kinds, begin, begin + 5000);
      for (size_t i = 0; i < numbers.size(); ++i) {
        const auto source = static_cast<uint32_t>(i % 3);
        const long double exact = FromFirstPrinciples(
            key, source, kinds[source], begin + static_cast<int64_t>(i / 3));
        if (kinds[source] == kUniform) {
          ASSERT_EQ(numbers[i], exact);
        } else {
          worst = std::max(worst, std::fabs(numbers[i] - exact));
        }
      }
    }
  }
  EXPECT_LT(worst, 4e-15L);
  RecordProperty("worst", std::to_string(static_cast<double>(worst * 1e16L)));
}

// No change may alter them: bump kNumericsVersion with these.
TEST(NoiseTest, HasItsBits) {
  const NoiseKey key = {12345, 678, 9};
  EXPECT_EQ(BitsOf(Draw(key, {kNormal, kUniform}, -1, 3)),
            (std::vector<uint64_t>{0x3ff4a8338dd8690a, 0x3fd04c8af3772fb4,
                                   0x3fe4e6fff905bc8a, 0x3fe1915520fb4fd4,
                                   0xbff5c9f2cbab6d3a, 0x3fe16db38a62e42c,
                                   0xbfeef2a97081e0b7, 0x3feb3f317f74cc18}));
  uint64_t mixed = 0;
  for (const uint64_t bits : BitsOf(Draw(key, {kNormal}, 0, 1'000'000))) {
    mixed = (mixed ^ bits) * 0x9E3779B97F4A7C15;
    mixed ^= mixed >> 29;
  }
  EXPECT_EQ(mixed, 0x27733866c491ff9);
}

TEST(NoiseTest, EveryInstructionSetHasTheSameBits) {
  const std::vector<NoiseKind> kinds = {kNormal, kUniform, kNormal};
  for (uint64_t n_lanes = 1; n_lanes < 20; ++n_lanes) {
    std::vector<uint64_t> realizations = Range(n_lanes);
    realizations.back() = (uint64_t{1} << 44) - 1;
    const auto bits_of = [&](void (*fill)(const noise::Job&)) {
      std::vector<double> numbers(n_lanes * 3 * 300, -99);
      fill({.seed = 5,
            .trace = 77,
            .realizations = realizations.data(),
            .n_lanes = n_lanes,
            .kinds = kinds.data(),
            .n_sources = kinds.size(),
            .begin = -1,
            .end = 299,
            .numbers = numbers.data()});
      return BitsOf(numbers);
    };
    const std::vector<uint64_t> plain = bits_of(&noise::FillPlain);
    EXPECT_EQ(bits_of(&noise::FillAvx2), plain) << n_lanes;
    if (noise::HasAvx512()) {
      EXPECT_EQ(bits_of(&noise::FillAvx512), plain) << n_lanes;
    }
  }
}

TEST(NoiseTest, CutsChangeNothing) {
  const std::vector<NoiseKind> kinds = {kNormal, kNormal, kUniform};
  const std::vector<uint64_t> realizations = Range(21);
  constexpr size_t kRow = 3 * 21;
  std::vector<double> whole(kRow * 40);
  FillNoise(3, 4, realizations, kinds, -1, 39, whole.data());
  for (int64_t begin = -1; begin < 39; ++begin) {
    for (int64_t end = begin; end <= 39; ++end) {
      // One more at each end: nothing is written beside the steps.
      std::vector<double> part(kRow * (end - begin) + 2, -99);
      FillNoise(3, 4, realizations, kinds, begin, end, part.data() + 1);
      ASSERT_TRUE(std::equal(part.begin() + 1, part.end() - 1,
                             whole.begin() + kRow * (begin + 1)));
      ASSERT_EQ(part.front(), -99);
      ASSERT_EQ(part.back(), -99);
    }
  }
  // Lanes by themselves, from the last to the first, and without all sources.
  for (uint64_t lane = 0; lane < 21; ++lane) {
    const std::vector<double> alone =
        Draw({3, 20 - lane, 4}, {kNormal, kNormal}, -1, 39);
    for (size_t i = 0; i < alone.size(); ++i) {
      ASSERT_EQ(alone[i], whole[(i / 2 * 3 + i % 2) * 21 + 20 - lane]);
    }
  }
  FillNoise(3, 4, {}, kinds, 0, 10, nullptr);
  FillNoise(3, 4, realizations, {}, 0, 10, nullptr);
}

TEST(NoiseTest, UnusedSourcesAreLeftAlone) {
  const std::vector<uint64_t> realizations = Range(11);
  const std::vector<double> all =
      Draw({1, 10, 2}, {kNormal, kNormal, kUniform}, -1, 9);
  std::vector<double> numbers(10 * 3 * 11, -99);
  FillNoise(1, 2, realizations, {{kNormal, NoiseKind::kUnused, kUniform}}, -1,
            9, numbers.data());
  for (size_t row = 0; row < 30; ++row) {
    ASSERT_EQ(numbers[row * 11 + 10], row % 3 == 1 ? -99 : all[row]);
  }
}

TEST(NoiseTest, EveryPartOfAKeyCounts) {
  std::vector<NoiseKey> keys;
  for (int bit = 0; bit < 64; ++bit) keys.push_back({uint64_t{1} << bit, 0, 0});
  for (int bit = 0; bit < 44; ++bit) keys.push_back({0, uint64_t{1} << bit, 0});
  for (int bit = 0; bit < 20; ++bit) keys.push_back({0, 0, uint32_t{1} << bit});
  keys.push_back({});
  std::set<double> seen;
  size_t n = 0;
  for (const NoiseKey& key : keys) {
    for (const int64_t begin : {int64_t{-1}, int64_t{0xfffffffe} - 20}) {
      for (const double x :
           Draw(key, {kUniform, kUniform}, begin, begin + 20)) {
        seen.insert(x);
        ++n;
      }
    }
  }
  EXPECT_EQ(seen.size(), n);
}

TEST(NoiseTest, DoesNotOverlapWithOtherStreams) {
  const std::vector<double> drawn = Draw({7, 0, 0}, {kUniform}, 0, 10'000);
  std::set<double> seen(drawn.begin(), drawn.end());
  for (const auto purpose :
       {StreamPurpose::kOptimizer, StreamPurpose::kExample}) {
    RandomStream random(7, purpose, 0, 0);
    for (int i = 0; i < 10'000; ++i) {
      seen.insert(static_cast<double>(random.Bits() >> 12) * 0x1p-52);
    }
  }
  EXPECT_EQ(seen.size(), 30'000u);
}

// The largest distance of the empirical distribution, times the root of the
// number of draws: above 1.95 once in a thousand.
template <typename Cdf>
double KolmogorovSmirnov(std::vector<double> numbers, const Cdf& cdf) {
  std::sort(numbers.begin(), numbers.end());
  const auto n = static_cast<double>(numbers.size());
  double distance = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double p = cdf(numbers[i]);
    const auto rank = static_cast<double>(i);
    distance = std::max({distance, p - rank / n, (rank + 1) / n - p});
  }
  return distance * std::sqrt(n);
}

double Moment(const std::vector<double>& numbers, int power) {
  double sum = 0;
  for (const double x : numbers) sum += std::pow(x, power);
  return sum / static_cast<double>(numbers.size());
}

std::vector<double> EverySecond(const std::vector<double>& numbers, int from) {
  std::vector<double> half;
  for (size_t i = from; i < numbers.size(); i += 2) half.push_back(numbers[i]);
  return half;
}

TEST(NoiseTest, NormalsAreStandardNormal) {
  const std::vector<double> numbers = Draw({1, 0, 0}, {kNormal}, 0, 2'000'000);
  const auto cdf = [](double x) { return std::erfc(-x / std::sqrt(2)) / 2; };
  for (const int from : {0, 1}) {  // the cosines, the sines
    const std::vector<double> half = EverySecond(numbers, from);
    // Five standard deviations of a mean of a million.
    EXPECT_NEAR(Moment(half, 1), 0, 5e-3);
    EXPECT_NEAR(Moment(half, 2), 1, 5e-3 * std::sqrt(2));
    EXPECT_NEAR(Moment(half, 3), 0, 5e-3 * std::sqrt(15));
    EXPECT_NEAR(Moment(half, 4), 3, 5e-3 * std::sqrt(96));
    EXPECT_NEAR(Moment(half, 6), 15, 5e-3 * std::sqrt(10395 - 225));
    EXPECT_LT(KolmogorovSmirnov(half, cdf), 1.95);
    EXPECT_GT(std::ranges::max(half), 4.3);
    EXPECT_LT(std::ranges::min(half), -4.3);
  }
}

TEST(NoiseTest, UniformsAreUniform) {
  const std::vector<double> numbers = Draw({1, 0, 0}, {kUniform}, 0, 2'000'000);
  for (const int from : {0, 1}) {
    const std::vector<double> half = EverySecond(numbers, from);
    EXPECT_GE(std::ranges::min(half), 0);
    EXPECT_LT(std::ranges::max(half), 1);
    EXPECT_NEAR(Moment(half, 1), 1.0 / 2, 5e-3 * std::sqrt(1.0 / 12));
    EXPECT_NEAR(Moment(half, 2), 1.0 / 3, 5e-3 * std::sqrt(4.0 / 45));
    EXPECT_LT(KolmogorovSmirnov(half, [](double x) { return x; }), 1.95);
  }
  for (const double x : numbers) ASSERT_EQ(std::fmod(x, 0x1p-52), 0);
}

double Correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const double n = static_cast<double>(x.size());
  double xs = 0, ys = 0, xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xs += x[i];
    ys += y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
    xy += x[i] * y[i];
  }
  return (xy - xs * ys / n) /
         std::sqrt((xx - xs * xs / n) * (yy - ys * ys / n));
}

std::vector<double> Squares(std::vector<double> numbers) {
  for (double& x : numbers) x *= x;
  return numbers;
}

// Both the numbers and their squares, in units of what chance gives.
void ExpectIndependent(const std::vector<double>& x,
                       const std::vector<double>& y, const std::string& what) {
  ASSERT_EQ(x.size(), y.size());
  const double root = std::sqrt(static_cast<double>(x.size()));
  EXPECT_LT(std::fabs(Correlation(x, y)) * root, 4.5) << what;
  EXPECT_LT(std::fabs(Correlation(Squares(x), Squares(y))) * root, 4.5) << what;
  EXPECT_LT(std::fabs(Correlation(Squares(x), y)) * root, 4.5) << what;
}

TEST(NoiseTest, NumbersAreIndependent) {
  constexpr int64_t kSteps = 1'000'000;
  const NoiseKey key = {11, 5, 2};
  for (const NoiseKind kind : {kNormal, kUniform}) {
    const std::vector<double> numbers = Draw(key, {kind}, 0, kSteps);
    std::map<std::string, std::vector<double>> others = {
        {"realization", Draw({11, 6, 2}, {kind}, 0, kSteps)},
        {"high realization",
         Draw({11, (uint64_t{1} << 32) + 5, 2}, {kind}, 0, kSteps)},
        {"trace", Draw({11, 5, 3}, {kind}, 0, kSteps)},
        {"seed", Draw({12, 5, 2}, {kind}, 0, kSteps)},
        {"later", Draw(key, {kind}, kSteps, 2 * kSteps)}};
    std::vector<double>& source = others["source"];
    const std::vector<double> both = Draw(key, {kind, kind}, 0, kSteps);
    source = EverySecond(both, 1);
    ASSERT_EQ(EverySecond(both, 0), numbers);
    for (const auto& [what, other] : others) {
      ExpectIndependent(numbers, other, what);
    }
    ExpectIndependent(EverySecond(numbers, 0), EverySecond(numbers, 1), "pair");
    for (const int lag : {1, 2, 3, 7}) {
      ExpectIndependent({numbers.begin(), numbers.end() - lag},
                        {numbers.begin() + lag, numbers.end()},
                        "lag " + std::to_string(lag));
    }
  }
}

TEST(NoiseTest, LanesAndInitialValuesAreIndependent) {
  const std::vector<uint64_t> realizations = Range(500'001);
  const std::vector<NoiseKind> kinds = {kNormal};
  std::vector<double> numbers(realizations.size() * 2);
  FillNoise(1, 0, realizations, kinds, kInitialStep, 1, numbers.data());
  const auto middle = numbers.begin() + numbers.size() / 2;
  ExpectIndependent({numbers.begin(), middle}, {middle, numbers.end()},
                    "initial and first step");
  ExpectIndependent({middle, numbers.end() - 1}, {middle + 1, numbers.end()},
                    "neighbouring lanes");
}

}  // namespace
}  // namespace somafit
