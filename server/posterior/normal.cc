#include "server/posterior/normal.h"

#include <cmath>
#include <limits>
#include <span>

#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

// Lowest order first.
double Horner(std::span<const double> coefficients, double x) {
  double sum = 0;
  for (size_t i = coefficients.size(); i-- > 0;) {
    sum = sum * x + coefficients[i];
  }
  return sum;
}

// P(z > x) / density(x), the Mills ratio, for x >= 1.5: Laplace's continued
// fraction 1/(x + 1/(x + 2/(x + 3/...))) (Abramowitz and Stegun 26.2.14).
double MillsRatio(double x) {
  double tail = x;
  for (int k = x < 3 ? 120 : 40; k > 0; --k) tail = x + k / tail;
  return 1 / tail;
}

// Numerators and denominators of AS 241: the middle, and two ranges of the
// tail.
constexpr double kMiddleA[] = {
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
    3.3430575583588128105e4, 2.5090809287301226727e3};
constexpr double kMiddleB[] = {1.0,
                               4.2313330701600911252e1,
                               6.8718700749205790830e2,
                               5.3941960214247511077e3,
                               2.1213794301586595867e4,
                               3.9307895800092710610e4,
                               2.8729085735721942674e4,
                               5.2264952788528545610e3};
constexpr double kTailC[] = {
    1.42343711074968357734e0,  4.63033784615654529590e0,
    5.76949722146069140550e0,  3.64784832476320460504e0,
    1.27045825245236838258e0,  2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kTailD[] = {1.0,
                             2.05319162663775882187e0,
                             1.67638483018380384940e0,
                             6.89767334985100004550e-1,
                             1.48103976427480074590e-1,
                             1.51986665636164571966e-2,
                             5.47593808499534494600e-4,
                             1.05075007164441684324e-9};
constexpr double kFarE[] = {
    6.65790464350110377720e0,  5.46378491116411436990e0,
    1.78482653991729133580e0,  2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kFarF[] = {1.0,
                            5.99832206555887937690e-1,
                            1.36929880922735805310e-1,
                            1.48753612908506148525e-2,
                            7.86869131145613259100e-4,
                            1.84631831751005468180e-5,
                            1.42151175831644588870e-7,
                            2.04426310338993978564e-15};

}  // namespace

double NormalDensity(double x) {
  constexpr double kInverseRootTwoPi = 0.39894228040143267794;
  return kInverseRootTwoPi * Exp(-0.5 * x * x);
}

double NormalCdf(double x) {
  if (std::isnan(x)) return x;
  if (x <= -40) return 0;
  if (x >= 40) return 1;
  if (x <= -1.5) return NormalDensity(x) * MillsRatio(-x);
  if (x >= 1.5) return 1 - NormalDensity(x) * MillsRatio(x);
  // 1/2 + density (x + x^3/3 + x^5/(3 5) + ...): G. Marsaglia (2004),
  // "Evaluating the normal distribution", J. Stat. Softw. 11.
  double term = x, sum = x;
  for (int k = 3; k < 60; k += 2) {
    term *= x * x / k;
    sum += term;
  }
  return 0.5 + NormalDensity(x) * sum;
}

double NormalQuantile(double p) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (p <= 0) return p == 0 ? -kInf : std::nan("");
  if (p >= 1) return p == 1 ? kInf : std::nan("");
  if (std::isnan(p)) return p;
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * (Horner(kMiddleA, r) / Horner(kMiddleB, r));
  }
  double r = std::sqrt(-Log(q < 0 ? p : 1 - p));
  const double size = r <= 5 ? Horner(kTailC, r - 1.6) / Horner(kTailD, r - 1.6)
                             : Horner(kFarE, r - 5) / Horner(kFarF, r - 5);
  return q < 0 ? -size : size;
}

double OpenUniform(RandomStream& random) {
  return (static_cast<double>(random.Bits() >> 12) + 0.5) * 0x1p-52;
}

double InsideUnit(double p) {
  return std::fmin(std::fmax(p, 0x1p-53), 1 - 0x1p-53);
}

double StandardNormal(RandomStream& random) {
  return NormalQuantile(OpenUniform(random));
}

}  // namespace somafit
