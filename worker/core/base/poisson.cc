#include "worker/core/base/poisson.h"

#include <cmath>
#include <limits>

#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

constexpr double kOutwardFrom = 16;
constexpr double kExpansionFrom = 1024;
constexpr double kMost = 0x1p53;

// Adds up probabilities from 0 on until they exceed `uniform`.
double FromZero(double mean, double uniform) {
  double probability = Exp(-mean);
  double sum = probability;
  double k = 0;
  while (uniform >= sum) {
    const double next = probability * mean / (k + 1);
    // What is too small to be added is too rare to be drawn. Below the mode
    // probabilities grow, hence the loop ends soon above it.
    if (sum + next == sum) break;
    probability = next;
    sum += probability;
    ++k;
  }
  return k;
}

// The probability of `mode`, the integer at or just below the mean: Stirling's
// series for the factorial, with what nearly cancels taken together.
double AtMode(double mean, double mode) {
  constexpr double kTwoPi = 0x1.921fb54442d18p+2;
  const double beyond = mean - mode;
  const double inverse = 1 / mode;
  const double square = inverse * inverse;
  // 1/(12 m) - 1/(360 m^3) + 1/(1260 m^5) - 1/(1680 m^7) + 1/(1188 m^9)
  const double series =
      inverse *
      (1.0 / 12 +
       square * (-1.0 / 360 +
                 square * (1.0 / 1260 +
                           square * (-1.0 / 1680 + square * (1.0 / 1188)))));
  return Exp((mode * Log1p(beyond * inverse) - beyond) - series) /
         std::sqrt(kTwoPi * mode);
}

// Takes probabilities off `uniform`, of the mode and then of its neighbours,
// ever farther out: as many steps as the deviation, not as the mean.
double FromMode(double mean, double uniform) {
  const double mode = std::floor(mean);
  double above = AtMode(mean, mode);
  double below = above;
  double rest = uniform - above;
  if (rest < 0) return mode;
  // 16 standard deviations, and more, have all that rounding leaves.
  const double farthest = 16 * std::sqrt(mean);
  for (double k = 1; k <= farthest; ++k) {
    above = above * mean / (mode + k);
    rest -= above;
    if (rest < 0) return mode + k;
    if (k > mode) continue;
    below = below * (mode - k + 1) / mean;
    rest -= below;
    if (rest < 0) return mode - k;
  }
  return mode;
}

// The ratio of two polynomials of degree 7, lowest order first.
double Ratio(const double (&above)[8], const double (&below)[8], double x) {
  double numerator = above[7];
  double denominator = below[7];
  for (int i = 6; i >= 0; --i) {
    numerator = std::fma(numerator, x, above[i]);
    denominator = std::fma(denominator, x, below[i]);
  }
  return numerator / denominator;
}

// M. Wichura (1988), "Algorithm AS 241: the percentage points of the normal
// distribution", Appl. Stat. 37: PPND16, relative error about 1e-16.
// REQUIRES: 0 < p < 1.
double NormalQuantile(double p) {
  static constexpr double kA[] = {
      3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
      3.3430575583588128105e4, 2.5090809287301226727e3};
  static constexpr double kB[] = {1,
                                  4.2313330701600911252e1,
                                  6.8718700749205790830e2,
                                  5.3941960214247511077e3,
                                  2.1213794301586595867e4,
                                  3.9307895800092710610e4,
                                  2.8729085735721942674e4,
                                  5.2264952788528545610e3};
  static constexpr double kC[] = {
      1.42343711074968357734e0,  4.63033784615654529590e0,
      5.76949722146069140550e0,  3.64784832476320460504e0,
      1.27045825245236838258e0,  2.41780725177450611770e-1,
      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[] = {1,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double kE[] = {
      6.65790464350110377720e0,  5.46378491116411436990e0,
      1.78482653991729133580e0,  2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3,
      2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[] = {1,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) return q * Ratio(kA, kB, 0.180625 - q * q);
  const double r = std::sqrt(-Log(q < 0 ? p : 1 - p));
  const double size = r <= 5 ? Ratio(kC, kD, r - 1.6) : Ratio(kE, kF, r - 5);
  return q < 0 ? -size : size;
}

double ByExpansion(double mean, double uniform) {
  // Of 0 the quantile is infinite: half the least uniform beside it.
  const double w = NormalQuantile(uniform > 0x1p-54 ? uniform : 0x1p-54);
  const double square = w * w;
  const double root = std::sqrt(mean);
  const double first = 1.0 / 3 + square / 6;
  const double second = -w * (1.0 / 36 + square / 72);
  const double third = -8.0 / 405 + square * (7.0 / 810 + square * (1.0 / 270));
  const double x = mean + (root * w + (first + (second + third / root) / root));
  return x < kMost ? std::floor(x) : kMost;
}

}  // namespace

double Poisson(double mean, double uniform) {
  if (std::isnan(mean)) return mean;
  if (mean <= 0) return 0;
  if (std::isinf(mean)) return mean;
  if (mean < kOutwardFrom) return FromZero(mean, uniform);
  if (mean < kExpansionFrom) return FromMode(mean, uniform);
  return ByExpansion(mean, uniform);
}

}  // namespace somafit
