#pragma once

#include <cstddef>

namespace somafit {

// Elementary functions whose every bit is defined here, so that any kernel, at
// any vector width, can reproduce them. Only +, -, *, / and fused multiply-add
// of IEEE binary64 with rounding to nearest, and integer operations on bit
// patterns, are used.
//
// Bump when a change alters a bit of any simulation: an unfinished fit is not
// continued under another version.
inline constexpr int kNumericsVersion = 1;

// e^x, at most 1 ulp off, over the whole range: overflows to inf, underflows
// gradually to 0, NaN stays NaN.
//
// x = n ln2 + r, |r| <= ln2/2; 1 + r (1 + r p(r)) with p of degree 9; scaling
// by 2^n in two halves so that subnormal and largest results come out right.
double Exp(double x);

// e^x - 1, at most 2 ulp off, by the same reduction.
double Expm1(double x);

// (e^x - 1) / x, at most 2 ulp off; 1 where |x| < 1e-16, +inf above 717.
double Exprel(double x);

// The same, element by element, for arrays of any length: same bits.
void Exp(const double* x, double* result, size_t n);
void Expm1(const double* x, double* result, size_t n);
void Exprel(const double* x, double* result, size_t n);

}  // namespace somafit
