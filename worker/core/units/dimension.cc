#include "worker/core/units/dimension.h"

#include <cmath>
#include <cstddef>

namespace somafit {
namespace {

constexpr double kTolerance = 1e-8;
constexpr int kMaxDenominator = 12;

double Snap(double exponent) {
  for (int denominator = 1; denominator <= kMaxDenominator; ++denominator) {
    const double nearest = std::round(exponent * denominator) / denominator;
    // Adding 0 turns -0 into 0.
    if (std::abs(exponent - nearest) < kTolerance / 10) return nearest + 0.0;
  }
  return exponent;
}

template <typename Operation>
Dimension Combine(const Dimension& a, const Dimension& b, Operation operation) {
  std::array<double, 7> exponents;
  for (size_t i = 0; i < exponents.size(); ++i) {
    exponents[i] = Snap(operation(a.exponents()[i], b.exponents()[i]));
  }
  return Dimension(exponents);
}

}  // namespace

bool Dimension::IsNone() const { return *this == kNoDimension; }

bool operator==(const Dimension& a, const Dimension& b) {
  for (size_t i = 0; i < a.exponents_.size(); ++i) {
    if (!(std::abs(a.exponents_[i] - b.exponents_[i]) <= kTolerance)) {
      return false;
    }
  }
  return true;
}

Dimension operator*(const Dimension& a, const Dimension& b) {
  return Combine(a, b, [](double x, double y) { return x + y; });
}

Dimension operator/(const Dimension& a, const Dimension& b) {
  return Combine(a, b, [](double x, double y) { return x - y; });
}

Dimension Dimension::Power(double exponent) const {
  return Combine(*this, kNoDimension,
                 [exponent](double x, double) { return x * exponent; });
}

}  // namespace somafit
