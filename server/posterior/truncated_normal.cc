#include "server/posterior/truncated_normal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/posterior/normal.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

constexpr double kLogRootTwoPi = 0.91893853320467274178;

// Gauss-Legendre with 8 points: Abramowitz and Stegun, table 25.4.
constexpr double kNode[] = {0.1834346424956498049, 0.5255324099163289858,
                            0.7966664774136267396, 0.9602898564975362317};
constexpr double kWeight[] = {0.3626837833783619830, 0.3137066458778872873,
                              0.2223810344533744705, 0.1012285362903762592};

double Integral(const std::function<double(double)>& f, double from,
                double to) {
  constexpr int kPanels = 256;
  const double half = (to - from) / (2 * kPanels);
  double sum = 0;
  for (int i = 0; i < kPanels; ++i) {
    const double middle = from + (2 * i + 1) * half;
    for (int k = 0; k < 4; ++k) {
      sum += kWeight[k] *
             (f(middle - half * kNode[k]) + f(middle + half * kNode[k]));
    }
  }
  return sum * half;
}

}  // namespace

TruncatedNormal::TruncatedNormal(double lower, double upper)
    : lower_(lower), upper_(upper), mirrored_(lower > 0) {
  const double low = mirrored_ ? -upper : lower;
  const double high = mirrored_ ? -lower : upper;
  below_ = NormalCdf(low);
  // A difference of nearly equal numbers has few digits.
  mass_ = high - low < 1 ? Integral(NormalDensity, low, high)
                         : NormalCdf(high) - below_;
  log_mass_ = Log(mass_);
}

double TruncatedNormal::LogDensity(double z) const {
  if (std::isnan(z)) return z;
  if (z < lower_ || z > upper_) return -std::numeric_limits<double>::infinity();
  return -0.5 * z * z - kLogRootTwoPi - log_mass_;
}

double TruncatedNormal::Cdf(double z) const {
  if (z <= lower_) return 0;
  if (z >= upper_) return 1;
  const double p =
      std::clamp((NormalCdf(mirrored_ ? -z : z) - below_) / mass_, 0.0, 1.0);
  return mirrored_ ? 1 - p : p;
}

double TruncatedNormal::Quantile(double p) const {
  if (p <= 0) return lower_;
  if (p >= 1) return upper_;
  const double z = NormalQuantile(
      std::min(below_ + (mirrored_ ? 1 - p : p) * mass_, 1 - 0x1p-53));
  return std::clamp(mirrored_ ? -z : z, lower_, upper_);
}

double TruncatedNormal::Expectation(
    const std::function<double(double)>& function, double growth) const {
  const double low = std::max(lower_, std::min(growth, 0.0) - 40);
  const double high = std::min(upper_, std::max(growth, 0.0) + 40);
  // An interval that lies farther out still has its mass next to its inner end.
  const auto weighted = [&](double z) {
    return function(z) * Exp(LogDensity(z));
  };
  // Integrands have width 1 around 0 and around `growth`, less in a tail.
  double sum = 0;
  constexpr double kCuts[] = {-10, -5, 0, 5, 10};
  double from = low;
  for (const double centre : {0.0, growth}) {
    for (const double cut : kCuts) {
      const double to = centre + cut;
      if (to <= from || to >= high) continue;
      sum += Integral(weighted, from, to);
      from = to;
    }
  }
  return sum + Integral(weighted, from, high);
}

}  // namespace somafit
