// The functions that SLEEF computes, and the check of its bits. Its "finz"
// variants give the same bits for 1, 4 and 8 numbers at once: tested.

#include <bit>
#include <immintrin.h>
#include <sleef.h>
#include <string>

#include "absl/strings/str_cat.h"

#include "worker/core/base/elementary.h"
#include "worker/core/base/elementary_formulas.h"

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
      {"exp", [](double x) { return Exp(x); }, 0xd969c477241b707f},
      {"expm1", [](double x) { return Expm1(x); }, 0xe3df497eadfa5876},
      {"exprel", [](double x) { return Exprel(x); }, 0x4f829f3d7d23afda},
      {"bernoulli", [](double x) { return Bernoulli(x); }, 0x275c7335a1dbdbb7},
      {"tanh", [](double x) { return Tanh(x); }, 0x3a0de22bd7228da8},
      {"sinh", [](double x) { return Sinh(x); }, 0xe55ecf0735193951},
      {"cosh", [](double x) { return Cosh(x); }, 0x27f0d738ca7f2589},
      {"sin", [](double x) { return Sin(x); }, 0x7f407631d5cb2e5},
      {"cos", [](double x) { return Cos(x); }, 0xbd595ea67b82abcb},
      {"tan", [](double x) { return Tan(x); }, 0xa0061cf0dd9caa3c},
      {"arcsin", [](double x) { return Asin(x / 40); }, 0x88c456d277fb2c7e},
      {"arccos", [](double x) { return Acos(x / 40); }, 0xb22d9ef59a87edb6},
      {"arctan", [](double x) { return Atan(x); }, 0xe7d2c7c9785dc8f4},
      {"log", [](double x) { return Log(x + 41); }, 0xeb9c992e920a201a},
      {"log10", [](double x) { return Log10(x + 41); }, 0x896fc612812c1a35},
      {"log1p", [](double x) { return Log1p(x + 40); }, 0xc37bc57a74b0880a},
      {"power", [](double x) { return Power(x + 41, x / 7); },
       0xfafdb83de2df55d3},
  };
  for (const Known& known : kKnown) {
    uint64_t mixed = 0;
    for (int i = -2000; i <= 2000; ++i) {
      const double y = known.function(i * 0.01999);
      mixed = (mixed ^ std::bit_cast<uint64_t>(y)) * 0x9E3779B97F4A7C15;
      mixed ^= mixed >> 29;
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
