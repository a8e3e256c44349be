#include "worker/core/base/elementary.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/base/random.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

struct Function {
  std::string name;
  double (*one)(double);
  void (*many)(const double*, double*, size_t);
  long double (*exact)(long double);
  double max_ulp;
  double low, high;  // where results are finite
};

long double ExactExp(long double x) { return std::exp(x); }
long double ExactExpm1(long double x) { return std::expm1(x); }
long double ExactExprel(long double x) {
  return x == 0 ? 1.0L : std::expm1(x) / x;
}

const std::vector<Function>& Functions() {
  static const auto* const functions = new std::vector<Function>{
      {"Exp", &Exp, &Exp, &ExactExp, 1.0, -746, 709.78},
      {"Expm1", &Expm1, &Expm1, &ExactExpm1, 2.0, -746, 709.78},
      {"Exprel", &Exprel, &Exprel, &ExactExprel, 2.0, -746, 716.3},
  };
  return *functions;
}

// Distance in units of the last place of doubles about `exact`.
double UlpsOff(double value, long double exact) {
  const double rounded = std::fabs(static_cast<double>(exact));
  const double next = std::nextafter(rounded, kInf);
  const double ulp = std::isfinite(next) ? next - rounded
                                         : rounded - std::nextafter(rounded, 0);
  return static_cast<double>(
      std::fabs(static_cast<long double>(value) - exact) /
      static_cast<long double>(ulp));
}

// Over the whole range, near 0, where the reduction changes, and very small.
std::vector<double> Points(double low, double high) {
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  std::vector<double> points;
  for (int i = 0; i < 500'000; ++i) {
    points.push_back(low + (high - low) * random.Uniform());
    points.push_back(3 * (random.Uniform() - 0.5));
    const double edge =
        (std::floor(80 * random.Uniform()) - 40 + 0.5) * 0.693147180559945309;
    points.push_back(edge + 1e-3 * (random.Uniform() - 0.5));
    points.push_back((random.Uniform() - 0.5) *
                     std::exp(-40 * random.Uniform()));
  }
  return points;
}

TEST(ElementaryTest, IsAsAccurateAsPromised) {
  for (const Function& f : Functions()) {
    double worst = 0;
    double worst_at = 0;
    for (const double x : Points(f.low, f.high)) {
      const double off = UlpsOff(f.one(x), f.exact(x));
      if (!(off <= worst)) {
        worst = off;
        worst_at = x;
      }
    }
    RecordProperty(f.name + "_worst_ulp", std::to_string(worst));
    EXPECT_LE(worst, f.max_ulp) << f.name << " at " << worst_at;
  }
}

TEST(ElementaryTest, ArraysHaveTheSameBits) {
  for (const Function& f : Functions()) {
    std::vector<double> points = Points(-800, 800);
    points.resize(100'003);  // no multiple of a vector's width
    points[7] = kInf;
    points[8] = -kInf;
    points[9] = -0.0;
    std::vector<double> results(points.size());
    f.many(points.data(), results.data(), points.size());
    for (size_t i = 0; i < points.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint64_t>(results[i]),
                std::bit_cast<uint64_t>(f.one(points[i])))
          << f.name << " at " << points[i];
    }
    points[0] = kNaN;
    f.many(points.data(), results.data(), 5);
    EXPECT_TRUE(std::isnan(results[0])) << f.name;
    EXPECT_EQ(results[1], f.one(points[1])) << f.name;
  }
}

TEST(ElementaryTest, HasTheRightSpecialValues) {
  struct Case {
    double (*function)(double);
    double x, expected;
  };
  const double e_minus_1 = 1.718281828459045235;
  for (const Case& c : std::vector<Case>{
           {&Exp, 0, 1},
           {&Exp, -0.0, 1},
           {&Exp, kInf, kInf},
           {&Exp, -kInf, 0},
           {&Exp, 709.79, kInf},
           {&Exp, 1e308, kInf},
           {&Exp, -745.1332, kTiny},
           {&Exp, -745.14, 0},
           {&Exp, -1e308, 0},
           {&Exp, 709.782712893384, 1.7976931348622732e308},
           {&Exp, kTiny, 1},
           {&Expm1, 0, 0},
           {&Expm1, kInf, kInf},
           {&Expm1, -kInf, -1},
           {&Expm1, -40, -1},
           {&Expm1, 710, kInf},
           {&Expm1, 1e-300, 1e-300},
           {&Expm1, -kTiny, -kTiny},
           {&Expm1, 1, e_minus_1},
           {&Exprel, 0, 1},
           {&Exprel, -0.0, 1},
           {&Exprel, 9e-17, 1},
           {&Exprel, -9e-17, 1},
           {&Exprel, kTiny, 1},
           {&Exprel, 1, e_minus_1},
           {&Exprel, 717.5, kInf},
           {&Exprel, kInf, kInf},
           {&Exprel, -kInf, 0},
           {&Exprel, -1e300, 1e-300},
       }) {
    EXPECT_EQ(c.function(c.x), c.expected) << c.x;
  }
  for (const Function& f : Functions()) {
    EXPECT_TRUE(std::isnan(f.one(kNaN))) << f.name;
    EXPECT_TRUE(std::isnan(f.one(-kNaN))) << f.name;
  }
  EXPECT_TRUE(std::signbit(Expm1(-0.0)));
  EXPECT_FALSE(std::signbit(Expm1(0.0)));
}

}  // namespace
}  // namespace somafit
