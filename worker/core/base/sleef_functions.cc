// The functions that SLEEF computes, and the check of its bits. Its "finz"
// variants give the same bits for 1, 4 and 8 numbers at once: tested.

#include <bit>
#include <cmath>
#include <immintrin.h>
#include <sleef.h>
#include <string>

#include "absl/strings/str_cat.h"

#include "worker/core/base/elementary.h"
#include "worker/core/base/elementary_formulas.h"
#include "worker/core/base/poisson.h"

namespace somafit {
namespace {

template <typename Four>
void ForFours(const double* x, double* result, size_t n, Four&& four) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    _mm256_storeu_pd(result + i, four(_mm256_loadu_pd(x + i)));
  }
  if (i == n) return;
  double rest[4] = {1, 1, 1, 1};
  for (size_t k = i; k < n; ++k) rest[k - i] = x[k];
  _mm256_storeu_pd(rest, four(_mm256_loadu_pd(rest)));
  for (size_t k = i; k < n; ++k) result[k] = rest[k - i];
}

using elementary::kLog1pLimit;

}  // namespace

#define SOMAFIT_SLEEF(Name, name)                                         \
  double Name(double x) { return Sleef_finz_##name##d1_u10purecfma(x); }  \
  void Name(const double* x, double* result, size_t n) {                  \
    ForFours(x, result, n,                                                \
             [](__m256d v) { return Sleef_finz_##name##d4_u10avx2(v); }); \
  }
SOMAFIT_SLEEF(Sin, sin)
SOMAFIT_SLEEF(Cos, cos)
SOMAFIT_SLEEF(Tan, tan)
SOMAFIT_SLEEF(Asin, asin)
SOMAFIT_SLEEF(Acos, acos)
SOMAFIT_SLEEF(Atan, atan)
SOMAFIT_SLEEF(Log, log)
SOMAFIT_SLEEF(Log10, log10)
#undef SOMAFIT_SLEEF

double Log1p(double x) {
  return x > kLog1pLimit ? Log(x) : Sleef_finz_log1pd1_u10purecfma(x);
}

void Log1p(const double* x, double* result, size_t n) {
  ForFours(x, result, n, [](__m256d v) {
    const __m256d large =
        _mm256_cmp_pd(v, _mm256_set1_pd(kLog1pLimit), _CMP_GT_OQ);
    return _mm256_blendv_pd(Sleef_finz_log1pd4_u10avx2(v),
                            Sleef_finz_logd4_u10avx2(v), large);
  });
}

double Power(double x, double y) { return Sleef_finz_powd1_u10purecfma(x, y); }

void Power(const double* x, const double* y, double* result, size_t n) {
  for (size_t i = 0; i < n; ++i) result[i] = Power(x[i], y[i]);
}

absl::Status CheckNumerics() {
  struct Known {
    const char* name;
    double (*function)(double);
    uint64_t bits;  // of the results at the points below, mixed
  };
  static constexpr Known kKnown[] = {
      {"exp", [](double x) { return Exp(x); }, 0x8184660ec2cbb3d2},
      {"expm1", [](double x) { return Expm1(x); }, 0x19d875f1a844b781},
      {"exprel", [](double x) { return Exprel(x); }, 0xab6215ea8e86024c},
      {"bernoulli", [](double x) { return Bernoulli(x); }, 0x4a6d967a7ce42c44},
      {"tanh", [](double x) { return Tanh(x); }, 0xa166db675a7ceac1},
      {"sinh", [](double x) { return Sinh(x); }, 0xd808f7a4869acb2c},
      {"cosh", [](double x) { return Cosh(x); }, 0xe6ef928861e826fc},
      {"sin", [](double x) { return Sin(x); }, 0x7f00a8a276c843b8},
      {"cos", [](double x) { return Cos(x); }, 0x891a88d58084f33},
      {"tan", [](double x) { return Tan(x); }, 0xf12e235a3f9cf6f5},
      {"arcsin", [](double x) { return Asin(x / 40); }, 0xeeec6c8d1f03cc1c},
      {"arccos", [](double x) { return Acos(x / 40); }, 0xbf65f0f075587dc1},
      {"arctan", [](double x) { return Atan(x); }, 0x17e0d0284dcc2f2c},
      {"log", [](double x) { return Log(x + 41); }, 0x2f968c7a13aee0d6},
      {"log10", [](double x) { return Log10(x + 41); }, 0xe70316c437d0c703},
      {"log1p", [](double x) { return Log1p(x + 40); }, 0xa143830a4171ec0c},
      {"power", [](double x) { return Power(x + 41, x / 7); },
       0x3f70b3d166950718},
      {"poisson", [](double x) { return Poisson(2 * x * x, 0.7); },
       0xaa608f93060cd4d7},
  };
  // Where formulas change over, overflow or underflow.
  static constexpr double kExtremes[] = {
      1e-310,  0x1p-60, 0x1p-54, 0x1p-28, 0.34374999999999994,
      0.34375, 22,      56,      708.5,   709.78,
      712.5,   717.5,   720,     745.1,   759.5,
      1e22,    1e300};
  for (const Known& known : kKnown) {
    uint64_t mixed = 0;
    const auto mix = [&](double x) {
      const double y = known.function(x);
      const uint64_t bits = std::isnan(y) ? 0 : std::bit_cast<uint64_t>(y);
      mixed = (mixed ^ bits) * 0x9E3779B97F4A7C15;
      mixed ^= mixed >> 29;
    };
    for (int i = -2000; i <= 2000; ++i) mix(i * 0.01999);
    for (const double x : kExtremes) {
      mix(x);
      mix(-x);
    }
    if (mixed == known.bits) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "on this machine ", known.name,
        " has other bits than numerics version ", kNumericsVersion,
        " defines (", absl::Hex(mixed),
        "): simulations would not be those of other workers; install the "
        "release of SLEEF that the coordinator's machine has"));
  }
  return absl::OkStatus();
}

}  // namespace somafit
