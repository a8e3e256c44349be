#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

namespace somafit {

// Elementary functions whose every bit is defined, so that any kernel, at any
// vector width, can reproduce them.
//
// exp and what is built on it are ours (elementary_formulas.h): only +, -, *, /
// and fused multiply-add of IEEE binary64 with rounding to nearest, and integer
// operations on bit patterns, are used. The others are SLEEF's variants with
// fused multiply-add that give the same bits at all vector widths ("finz").
//
// Bump when a change alters a bit of any simulation: an unfinished fit is not
// continued under another version.
inline constexpr int kNumericsVersion = 6;

// e^x, at most 1 ulp off, over the whole range: overflows to inf, underflows
// gradually to 0, NaN stays NaN.
double Exp(double x);
// e^x - 1, at most 2 ulp off.
double Expm1(double x);
// (e^x - 1) / x, at most 2 ulp off; 1 where |x| < 1e-16, +inf above 717.
double Exprel(double x);
// x / (e^x - 1), the inverse of exprel, at most 2 ulp off.
double Bernoulli(double x);
// At most 2 ulp off, with C's special values.
double Tanh(double x);
double Sinh(double x);
double Cosh(double x);
// At most 1 ulp off, with C's special values, over the whole range.
double Sin(double x);
double Cos(double x);
double Tan(double x);
double Asin(double x);
double Acos(double x);
double Atan(double x);
double Log(double x);
double Log10(double x);
double Log1p(double x);
double Power(double x, double y);
// -1, 0 or 1; NaN stays NaN.
double Sign(double x);
// x / y rounded down, with the exact quotient where both are integers of up to
// 53 bits; and x - y times that. Both are NaN where y is 0, but for infinite
// quotients.
double FloorDivide(double x, double y);
double Modulo(double x, double y);
// `low` where x < low, else `high` where x > high, else x; NaN stays NaN.
double Clip(double x, double low, double high);

// The same, element by element, for arrays of any length: same bits.
void Exp(const double* x, double* result, size_t n);
void Expm1(const double* x, double* result, size_t n);
void Exprel(const double* x, double* result, size_t n);
void Bernoulli(const double* x, double* result, size_t n);
void Tanh(const double* x, double* result, size_t n);
void Sinh(const double* x, double* result, size_t n);
void Cosh(const double* x, double* result, size_t n);
void Sin(const double* x, double* result, size_t n);
void Cos(const double* x, double* result, size_t n);
void Tan(const double* x, double* result, size_t n);
void Asin(const double* x, double* result, size_t n);
void Acos(const double* x, double* result, size_t n);
void Atan(const double* x, double* result, size_t n);
void Log(const double* x, double* result, size_t n);
void Log10(const double* x, double* result, size_t n);
void Log1p(const double* x, double* result, size_t n);
void Power(const double* x, const double* y, double* result, size_t n);

// Computes all of them at fixed points and compares the bits with those of
// kNumericsVersion. FailedPrecondition names the function that differs: this
// machine has another release of SLEEF.
absl::Status CheckNumerics();

}  // namespace somafit
