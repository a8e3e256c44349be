#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// The formulas of our own elementary functions, written once for every kind of
// number that a kernel computes with: double here, a vector of lanes in
// compiled code. Whoever brings another `Real` declares, beside that type,
//
//   + - * / and unary - on Real; < on Real, giving a truth value that is false
//   with NaN; Like(x, c): the constant c as a Real; Fma, Floor, Abs, CopySign,
//   Select; Bits(x): the bit pattern, with + - >> <<; FromBits; Word(bits, c):
//   the constant c as a bit pattern; ScaleByPower(q, t), see below
//
// each exact or correctly rounded, and gets the same bits.
namespace somafit::elementary {

inline double Like(double, double constant) { return constant; }
inline double Fma(double a, double b, double c) { return std::fma(a, b, c); }
inline double Floor(double x) { return std::floor(x); }
inline double Abs(double x) { return std::fabs(x); }
inline double CopySign(double x, double sign) { return std::copysign(x, sign); }
inline double Select(bool condition, double a, double b) {
  return condition ? a : b;
}
inline uint64_t Bits(double x) { return std::bit_cast<uint64_t>(x); }
inline double FromBits(uint64_t bits) { return std::bit_cast<double>(bits); }
inline uint64_t Word(uint64_t, uint64_t constant) { return constant; }

inline constexpr double kLog2E = 0x1.71547652b82fep+0;
// ln2 to 106 bits. n * kLn2High - x is exact for the n that come up here, since
// the lowest bit of kLn2High is 2^-53.
inline constexpr double kLn2High = 0x1.62e42fefa39efp-1;
inline constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;
// Adding it rounds to an integer and leaves that integer in the low bits.
inline constexpr double kRounder = 0x1.8p52;

// p of e^r = 1 + r (1 + r p(r)), lowest order first; minimax on +-ln2/2,
// relative error 5.7e-18.
inline constexpr double kPolynomial[] = {
    0x1.0000000000007p-1,  0x1.5555555555557p-3,  0x1.555555555120ap-5,
    0x1.111111110fc5ep-7,  0x1.6c16c182d5c2fp-10, 0x1.a01a01ae188bfp-13,
    0x1.a0199c77b0990p-16, 0x1.71ddfc188e44dp-19, 0x1.28abe73c6f150p-22,
    0x1.af591fd7ae9eep-26};

// p(r), even and odd terms apart: two short chains rather than a long one.
template <typename Real>
inline Real Polynomial(const Real& r) {
  const Real square = r * r;
  Real even = Like(r, kPolynomial[8]);
  Real odd = Like(r, kPolynomial[9]);
  for (int i = 6; i >= 0; i -= 2) {
    even = Fma(even, square, Like(r, kPolynomial[i]));
    odd = Fma(odd, square, Like(r, kPolynomial[i + 1]));
  }
  return Fma(odd, r, even);
}

// x = n ln2 + r + lost, |r| <= ln2/2, `lost` what rounding r lost;
// e^r = 1 + r (1 + r p); t = n + kRounder.
template <typename Real>
struct Reduced {
  Real t;
  Real r;
  Real lost;
  Real p;
};

// REQUIRES: |x| < 1500, or NaN.
template <typename Real>
inline Reduced<Real> Reduce(const Real& x) {
  const Real t = Fma(x, Like(x, kLog2E), Like(x, kRounder));
  const Real n = t - Like(x, kRounder);
  const Real high = Fma(n, Like(x, -kLn2High), x);
  const Real r = Fma(n, Like(x, -kLn2Low), high);
  const Real lost = Fma(n, Like(x, -kLn2Low), high - r);
  return {t, r, lost, Polynomial(r)};
}

// 2^(n - k) for t = n + kRounder. NaN makes it arbitrary; what it scales is NaN
// then. REQUIRES: a normal result.
template <typename Real>
inline Real PowerOf(const Real& t, int k) {
  const auto bits = Bits(t);
  return FromBits((bits + Word(bits, static_cast<uint64_t>(1023 - k))) << 52);
}

// q * 2^n, rounded once, for q of size 1 and t = n + kRounder, |n| < 1100: in
// two halves, so that subnormal and largest results come out right.
template <typename Real>
inline Real ScaleInHalves(const Real& q, const Real& t) {
  const auto bits = Bits(t);
  // Unsigned and offset by 2048, because AVX2 has no arithmetic shift of 64
  // bits.
  const auto m =
      bits - Word(bits, std::bit_cast<uint64_t>(kRounder) - uint64_t{2048});
  const auto first = m >> 1;
  const auto second = m - first;
  return (q * FromBits((first - Word(bits, 1)) << 52)) *
         FromBits((second - Word(bits, 1)) << 52);
}
inline double ScaleByPower(double q, double t) { return ScaleInHalves(q, t); }

// Comparisons with NaN are false: it passes through.
template <typename Real>
inline Real AtLeast(const Real& x, double low) {
  const Real bound = Like(x, low);
  return Select(bound > x, bound, x);
}
template <typename Real>
inline Real AtMost(const Real& x, double high) {
  const Real bound = Like(x, high);
  return Select(bound < x, bound, x);
}

template <typename Real>
inline Real Mantissa(const Reduced<Real>& e) {
  return Fma(Fma(e.p, e.r, Like(e.r, 1.0)), e.r, Like(e.r, 1.0));
}

template <typename Real>
inline Real ExpOf(const Real& x) {
  const Reduced<Real> e = Reduce(AtMost(AtLeast(x, -746.0), 710.0));
  return ScaleByPower(Mantissa(e), e.t);
}

// A number and what rounding it lost.
template <typename Real>
struct Pair {
  Real high;
  Real low;
};

// Where powers of two would overflow before the result does.
inline constexpr int kSpare = 16;

// (e^x - 1) / 2^k, given scale = 2^(n - k). Below -56 it is -1 to the last bit.
template <typename Real>
inline Pair<Real> ScaledExpm1(const Reduced<Real>& e, const Real& scale,
                              int k) {
  // s (1 + r) - 1 with the rounding that it lost, then the small rest.
  const Real offset = scale - Like(scale, std::ldexp(1.0, -k));
  const Real linear = Fma(scale, e.r, offset);
  const Real lost = Fma(scale, e.lost, Fma(scale, e.r, offset - linear));
  const Real rest = Fma(scale, e.r * (e.r * e.p), lost);
  const Real high = linear + rest;
  return {high, rest - (high - linear)};
}

// E / (E + c), about as exact as E is, where E is not much above c.
template <typename Real>
inline Pair<Real> RatioToSum(const Pair<Real>& e, const Real& c) {
  const Real sum = e.high + c;
  const Real lost = (c - sum) + e.high;
  const Real inverse = Like(c, 1.0) / sum;
  const Real ratio = e.high * inverse;
  const Real rest = Fma(-ratio, sum, e.high) + (e.low - ratio * (lost + e.low));
  return {ratio, rest * inverse};
}

template <typename Real>
inline Real Expm1Of(const Real& x) {
  const Reduced<Real> e = Reduce(AtMost(AtLeast(x, -56.0), 710.0));
  const Pair<Real> scaled = ScaledExpm1(e, PowerOf(e.t, kSpare), kSpare);
  const Real result = scaled.high * Like(x, std::ldexp(1.0, kSpare));
  // Scaled, the smallest numbers would lose bits, and zeros their sign.
  return Select(Abs(x) < Like(x, 0x1p-54), x, result);
}

// Up to here exprel is 1 + x p(x), without reduction and division; ln2/2 is
// more.
inline constexpr double kExprelLimit = 0.34375;
// |x| is below the limit just where x^2, rounded, is below this.
inline constexpr double kExprelLimitSquared = kExprelLimit * kExprelLimit;

template <typename Real>
inline Real ExprelNear(const Real& x) {
  return Fma(x, Polynomial(x), Like(x, 1.0));
}

// Beyond the limit.
template <typename Real>
inline Real ExprelFar(const Real& x) {
  // At 718 the quotient overflows, as it does at the language's 717.
  const Real y = AtMost(x, 718.0);
  const Reduced<Real> e = Reduce(AtLeast(y, -56.0));
  const Pair<Real> scaled = ScaledExpm1(e, PowerOf(e.t, kSpare), kSpare);
  // Both are scaled alike: results are finite where e^x alone is not.
  return scaled.high / (y * Like(x, std::ldexp(1.0, -kSpare)));
}

inline double ExprelOf(double x) {
  const double near = ExprelNear(x);
  const double far = ExprelFar(x);
  return std::fabs(x) < kExprelLimit ? near : far;
}

// x / (e^x - 1): 1 at 0, -x far below, 0 far above.
template <typename Real>
inline Real BernoulliOf(const Real& x) {
  constexpr int kScale = 128;  // results reach down to the subnormal
  const Real tiny = Like(x, 0x1p-60);
  const Real y = AtMost(Select(Abs(x) < tiny, tiny, x), 760.0);
  const Reduced<Real> e = Reduce(AtLeast(y, -56.0));
  const Pair<Real> scaled = ScaledExpm1(e, PowerOf(e.t, kScale), kScale);
  return (y * Like(x, std::ldexp(1.0, -kScale))) / scaled.high;
}

// E / (E + 2) with E = e^2|x| - 1; 1 to the last bit from 22 on.
template <typename Real>
inline Real TanhOf(const Real& x) {
  const Real size = AtMost(Abs(x), 22.0);
  const Reduced<Real> e = Reduce(size + size);
  const Pair<Real> ratio =
      RatioToSum(ScaledExpm1(e, PowerOf(e.t, 0), 0), Like(x, 2.0));
  return CopySign(ratio.high + ratio.low, x);
}

// Near 0 from E = e^|x| - 1, as (E + E / (E + 1)) / 2; elsewhere from
// y = e^|x| / 2, which does not overflow before the result, as y - 1/(4 y).
template <typename Real>
inline Real SinhOf(const Real& x) {
  const Real size = AtMost(Abs(x), 712.0);
  const Reduced<Real> e = Reduce(size);
  const Real scale = PowerOf(e.t, kSpare);
  const Real rescale = Like(x, std::ldexp(1.0, kSpare));
  const Real half = Like(x, 0.5);
  const Pair<Real> scaled = ScaledExpm1(e, scale, kSpare);
  const Pair<Real> expm1 = {scaled.high * rescale, scaled.low * rescale};
  const Pair<Real> ratio = RatioToSum(expm1, Like(x, 1.0));
  const Real sum = expm1.high + ratio.high;
  const Real lost = (expm1.high - sum) + ratio.high;
  const Real near = half * (sum + (lost + (expm1.low + ratio.low)));
  const Real y = (Mantissa(e) * scale) * Like(x, std::ldexp(1.0, kSpare - 1));
  const Real far = y - Like(x, 0.25) / y;
  // sinh(x) is x where x^2/6 is lost; scaled, the smallest would lose bits.
  const Real small = Select(size < Like(x, 0x1p-28), size, near);
  return CopySign(Select(size < Like(x, 1.0), small, far), x);
}

template <typename Real>
inline Real CoshOf(const Real& x) {
  const Reduced<Real> e = Reduce(AtMost(Abs(x), 712.0));
  const Real y = (Mantissa(e) * PowerOf(e.t, kSpare)) *
                 Like(x, std::ldexp(1.0, kSpare - 1));
  return y + Like(x, 0.25) / y;
}

// SLEEF's log1p gives inf above 2.7e307; from here on it is log to the last
// bit.
inline constexpr double kLog1pLimit = 0x1p60;

// -1, 0 or 1; NaN stays NaN.
template <typename Real>
inline Real SignOf(const Real& x) {
  const Real zero = Like(x, 0.0);
  return Select(x < zero, Like(x, -1.0),
                Select(zero < x, Like(x, 1.0), x + zero));
}

// x / y rounded down. Rounding to nearest may reach an integer from below: then
// the remainder has not y's sign.
template <typename Real>
inline Real FloorDivideOf(const Real& x, const Real& y) {
  const Real zero = Like(x, 0.0);
  const Real q = Floor(x / y);
  const Real rest = Fma(-q, y, x);
  const Real less = q - Like(x, 1.0);
  return Select(rest < zero, Select(zero < y, less, q),
                Select(zero < rest, Select(y < zero, less, q), q));
}

template <typename Real>
inline Real ModuloOf(const Real& x, const Real& y) {
  return Fma(-FloorDivideOf(x, y), y, x);
}

// `low` where x < low, else `high` where x > high, else x.
template <typename Real>
inline Real ClipOf(const Real& x, const Real& low, const Real& high) {
  return Select(x < low, low, Select(high < x, high, x));
}

}  // namespace somafit::elementary
