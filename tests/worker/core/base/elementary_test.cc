#include "worker/core/base/elementary.h"

#include <array>
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

// With 11 more bits than double these are as good as correctly rounded: what
// they are off is below a thousandth of double's last place.
template <long double (*function)(long double)>
long double Exact(long double x) {
  return function(x);
}
long double ExactExprel(long double x) {
  return x == 0 ? 1.0L : std::expm1(x) / x;
}

long double ExactBernoulli(long double x) {
  return x == 0 ? 1.0L : x / std::expm1(x);
}

const std::vector<Function>& Functions() {
  static const auto* const functions = new std::vector<Function>{
      {"Exp", &Exp, &Exp, &Exact<std::exp>, 1.0, -746, 709.78},
      {"Expm1", &Expm1, &Expm1, &Exact<std::expm1>, 2.0, -746, 709.78},
      {"Exprel", &Exprel, &Exprel, &ExactExprel, 2.0, -746, 716.3},
      {"Bernoulli", &Bernoulli, &Bernoulli, &ExactBernoulli, 2.0, -746, 708},
      {"Tanh", &Tanh, &Tanh, &Exact<std::tanh>, 2.0, -25, 25},
      {"Sinh", &Sinh, &Sinh, &Exact<std::sinh>, 2.0, -710, 710.4},
      {"Cosh", &Cosh, &Cosh, &Exact<std::cosh>, 2.0, -710, 710.4},
      {"Sin", &Sin, &Sin, &Exact<std::sin>, 1.0, -1e6, 1e6},
      {"Cos", &Cos, &Cos, &Exact<std::cos>, 1.0, -1e6, 1e6},
      {"Tan", &Tan, &Tan, &Exact<std::tan>, 1.0, -1e6, 1e6},
      {"Asin", &Asin, &Asin, &Exact<std::asin>, 1.0, -1, 1},
      {"Acos", &Acos, &Acos, &Exact<std::acos>, 1.0, -1, 1},
      {"Atan", &Atan, &Atan, &Exact<std::atan>, 1.0, -100, 100},
      {"Log", &Log, &Log, &Exact<std::log>, 1.0, 1e-300, 100},
      {"Log10", &Log10, &Log10, &Exact<std::log10>, 1.0, 1e-300, 1e9},
      {"Log1p", &Log1p, &Log1p, &Exact<std::log1p>, 1.0, -1, 1e3},
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
      if (x < f.low || x > f.high) continue;
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
      const double one = f.one(points[i]);
      ASSERT_TRUE(std::bit_cast<uint64_t>(results[i]) ==
                      std::bit_cast<uint64_t>(one) ||
                  (std::isnan(results[i]) && std::isnan(one)))
          << f.name << " at " << points[i];
    }
    points[0] = kNaN;
    f.many(points.data(), results.data(), 5);
    EXPECT_TRUE(std::isnan(results[0])) << f.name;
    points[1] = 0.5;
    f.many(points.data(), results.data(), 5);
    EXPECT_EQ(results[1], f.one(0.5)) << f.name;
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
           {&Expm1, -1e-310, -1e-310},
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
           {&Bernoulli, 0, 1},
           {&Bernoulli, -0.0, 1},
           {&Bernoulli, 1e-17, 1},
           {&Bernoulli, kInf, 0},
           {&Bernoulli, 800, 0},
           {&Bernoulli, -kInf, kInf},
           {&Tanh, -0.0, -0.0},
           {&Tanh, kInf, 1},
           {&Tanh, -kInf, -1},
           {&Tanh, kTiny, kTiny},
           {&Sinh, -0.0, -0.0},
           {&Sinh, 711, kInf},
           {&Sinh, -kInf, -kInf},
           {&Sinh, kTiny, kTiny},
           {&Sinh, -1e-310, -1e-310},
           {&Exprel, -1e308, 1e-308},
           {&Bernoulli, 720, 1.46320617774547e-310},
           {&Bernoulli, -1e300, 1e300},
           {&Cosh, 0, 1},
           {&Cosh, 711, kInf},
           {&Cosh, -kInf, kInf},
           {&Sin, -0.0, -0.0},
           {&Tan, kTiny, kTiny},
           {&Cos, 0, 1},
           {&Asin, 1, 1.5707963267948966},
           {&Acos, 1, 0},
           {&Atan, kInf, 1.5707963267948966},
           {&Atan, -kInf, -1.5707963267948966},
           {&Log, 0, -kInf},
           {&Log, 1, 0},
           {&Log, kInf, kInf},
           {&Log10, 1000, 3},
           {&Log1p, -1, -kInf},
           {&Log1p, 1.7e308, 709.726836893228},
           {&Log1p, kInf, kInf},
           {&Sign, -3, -1},
           {&Sign, -0.0, 0},
           {&Sign, kInf, 1},
       }) {
    EXPECT_DOUBLE_EQ(c.function(c.x), c.expected) << c.x;
    EXPECT_EQ(std::signbit(c.function(c.x)), std::signbit(c.expected)) << c.x;
  }
  struct {
    double (*function)(double);
    double x;
  } const outside[] = {{&Log, -1},    {&Log10, -1}, {&Log1p, -2},
                       {&Asin, 1.1},  {&Acos, -2},  {&Sin, kInf},
                       {&Cos, -kInf}, {&Tan, kInf}, {&Sign, kNaN}};
  for (const auto& c : outside) EXPECT_TRUE(std::isnan(c.function(c.x))) << c.x;
  for (const Function& f : Functions()) {
    EXPECT_TRUE(std::isnan(f.one(kNaN))) << f.name;
    EXPECT_TRUE(std::isnan(f.one(-kNaN))) << f.name;
  }
  EXPECT_TRUE(std::signbit(Expm1(-0.0)));
  EXPECT_FALSE(std::signbit(Expm1(0.0)));
}

TEST(ElementaryTest, PowersAreAsAccurateAsPromised) {
  RandomStream random(2, StreamPurpose::kExample, 0, 0);
  std::vector<double> x, y;
  for (int i = 0; i < 1'000'000; ++i) {
    x.push_back(20 * random.Uniform());
    y.push_back(60 * (random.Uniform() - 0.5));
  }
  std::vector<double> results(x.size());
  Power(x.data(), y.data(), results.data(), x.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint64_t>(results[i]),
              std::bit_cast<uint64_t>(Power(x[i], y[i])));
    // The exact value as a power of doubles' logarithm would lose bits.
    worst = std::max(
        worst, UlpsOff(results[i], std::pow(static_cast<long double>(x[i]),
                                            static_cast<long double>(y[i]))));
  }
  EXPECT_LE(worst, 1.0);
  for (const auto& [base, exponent, expected] :
       std::vector<std::array<double, 3>>{{0, 0, 1},
                                          {-2, 3, -8},
                                          {-2, -2, 0.25},
                                          {kNaN, 0, 1},
                                          {1, kNaN, 1},
                                          {0, -1, kInf},
                                          {-0.0, -3, -kInf},
                                          {2, 1024, kInf},
                                          {0.5, kInf, 0},
                                          {-kInf, 3, -kInf}}) {
    EXPECT_EQ(Power(base, exponent), expected) << base << " " << exponent;
  }
  EXPECT_TRUE(std::isnan(Power(-2, 0.5)));
}

TEST(ElementaryTest, ClipFollowsTheOrderOfItsTests) {
  EXPECT_EQ(Clip(1, 2, 3), 2);
  EXPECT_EQ(Clip(4, 2, 3), 3);
  EXPECT_EQ(Clip(2.5, 2, 3), 2.5);
  EXPECT_EQ(Clip(2.5, 3, 2), 3);
  EXPECT_TRUE(std::isnan(Clip(kNaN, 2, 3)));
}

// The bits that numerics_version stands for.
TEST(ElementaryTest, HasTheBitsOfItsVersion) {
  EXPECT_TRUE(CheckNumerics().ok()) << CheckNumerics();
}

}  // namespace
}  // namespace somafit
