#pragma once

#include <array>
#include <string>

namespace somafit {

// A physical dimension: exponents of metre, kilogram, second, ampere, kelvin,
// mole, candela. Exponents may be fractional; near-rational ones are snapped to
// rationals of small denominator, and compared with a tolerance of 1e-8.
class Dimension {
 public:
  constexpr Dimension() = default;  // dimensionless
  constexpr explicit Dimension(std::array<double, 7> exponents)
      : exponents_(exponents) {}

  bool IsNone() const;
  friend bool operator==(const Dimension& a, const Dimension& b);
  friend Dimension operator*(const Dimension& a, const Dimension& b);
  friend Dimension operator/(const Dimension& a, const Dimension& b);
  Dimension Power(double exponent) const;
  const std::array<double, 7>& exponents() const { return exponents_; }

 private:
  std::array<double, 7> exponents_{};
};

inline constexpr Dimension kNoDimension{};
inline constexpr Dimension kTimeDimension{{0, 0, 1, 0, 0, 0, 0}};

}  // namespace somafit
