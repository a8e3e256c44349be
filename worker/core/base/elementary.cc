#include "worker/core/base/elementary.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace somafit {
namespace {

constexpr double kLog2E = 0x1.71547652b82fep+0;
// ln2 to 106 bits. n * kLn2High - x is exact for the n that come up here, since
// the lowest bit of kLn2High is 2^-53.
constexpr double kLn2High = 0x1.62e42fefa39efp-1;
constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;
// Adding it rounds to an integer and leaves that integer in the low bits.
constexpr double kRounder = 0x1.8p52;

// p of e^r = 1 + r (1 + r p(r)), lowest order first; minimax on +-ln2/2,
// relative error 5.7e-18.
constexpr double kPolynomial[] = {0x1.0000000000007p-1,  0x1.5555555555557p-3,
                                  0x1.555555555120ap-5,  0x1.111111110fc5ep-7,
                                  0x1.6c16c182d5c2fp-10, 0x1.a01a01ae188bfp-13,
                                  0x1.a0199c77b0990p-16, 0x1.71ddfc188e44dp-19,
                                  0x1.28abe73c6f150p-22, 0x1.af591fd7ae9eep-26};

// x = (n1 + n2) ln2 + r and e^r = 1 + r (1 + r p).
struct Reduced {
  double r;
  double p;
  double scale1;          // 2^n1
  double scale2;          // 2^n2
  double inverse_scale2;  // 2^-n2
};

// REQUIRES: |x| < 1400, or NaN.
inline Reduced Reduce(double x) {
  const double t = std::fma(x, kLog2E, kRounder);
  const double n = t - kRounder;
  double r = std::fma(n, -kLn2High, x);
  r = std::fma(n, -kLn2Low, r);
  double p = kPolynomial[9];
  p = std::fma(p, r, kPolynomial[8]);
  p = std::fma(p, r, kPolynomial[7]);
  p = std::fma(p, r, kPolynomial[6]);
  p = std::fma(p, r, kPolynomial[5]);
  p = std::fma(p, r, kPolynomial[4]);
  p = std::fma(p, r, kPolynomial[3]);
  p = std::fma(p, r, kPolynomial[2]);
  p = std::fma(p, r, kPolynomial[1]);
  p = std::fma(p, r, kPolynomial[0]);
  // Unsigned and offset by 2048, because AVX2 has no arithmetic shift of 64
  // bits. NaN makes the scales arbitrary, and r NaN whatever they are.
  const uint64_t m = std::bit_cast<uint64_t>(t) -
                     std::bit_cast<uint64_t>(kRounder) + uint64_t{2048};
  const uint64_t m1 = m >> 1;
  const uint64_t m2 = m - m1;
  return {r, p, std::bit_cast<double>((m1 - 1) << 52),
          std::bit_cast<double>((m2 - 1) << 52),
          std::bit_cast<double>((uint64_t{2047} - m2) << 52)};
}

// Comparisons with NaN are false: it passes through.
inline double Clamp(double x, double low, double high) {
  x = low > x ? low : x;
  return high < x ? high : x;
}

inline double ExpOne(double x) {
  const Reduced e = Reduce(Clamp(x, -746.0, 710.0));
  const double q = std::fma(std::fma(e.p, e.r, 1.0), e.r, 1.0);
  return (q * e.scale1) * e.scale2;
}

// (e^x - 1) / 2^n2. Below -56 it is -1 to the last bit.
inline double ScaledExpm1(const Reduced& e) {
  // s (1 + r) - 1 with the rounding that it lost, then the small rest.
  const double offset = e.scale1 - e.inverse_scale2;
  const double linear = std::fma(e.scale1, e.r, offset);
  const double lost = std::fma(e.scale1, e.r, offset - linear);
  return linear + std::fma(e.scale1, e.r * (e.r * e.p), lost);
}

inline double Expm1One(double x) {
  const Reduced e = Reduce(Clamp(x, -56.0, 710.0));
  // Only the sign of a zero can be wrong.
  return std::copysign(ScaledExpm1(e) * e.scale2, x);
}

inline double ExprelOne(double x) {
  // The quotient of so small numbers is 1 exactly.
  x = x == 0.0 ? 1e-300 : x;
  // At 718 the quotient overflows, as it does at the language's 717.
  x = 718.0 < x ? 718.0 : x;
  const Reduced e = Reduce(-56.0 > x ? -56.0 : x);
  // Dividing before scaling keeps results finite where e^x alone is not.
  return (ScaledExpm1(e) / x) * e.scale2;
}

}  // namespace

double Exp(double x) { return ExpOne(x); }
double Expm1(double x) { return Expm1One(x); }
double Exprel(double x) { return ExprelOne(x); }

void Exp(const double* x, double* result, size_t n) {
  for (size_t i = 0; i < n; ++i) result[i] = ExpOne(x[i]);
}

void Expm1(const double* x, double* result, size_t n) {
  for (size_t i = 0; i < n; ++i) result[i] = Expm1One(x[i]);
}

void Exprel(const double* x, double* result, size_t n) {
  for (size_t i = 0; i < n; ++i) result[i] = ExprelOne(x[i]);
}

}  // namespace somafit
