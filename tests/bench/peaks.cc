#include "tests/bench/peaks.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <immintrin.h>

#include <benchmark/benchmark.h>

namespace somafit {
namespace {

// Independent operations in registers: operations a second on vectors of 8.
__attribute__((target("avx512f"))) double Fma512(int64_t n) {
  __m512d x[12];
  for (int i = 0; i < 12; ++i) x[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm512_fmadd_pd(v, a, b);
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double Fma256(int64_t n) {
  __m256d x[12];
  for (int i = 0; i < 12; ++i) x[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm256_fmadd_pd(v, a, b);
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}
// Additions beside as many multiplications: free on processors on which they
// have ports of their own.
__attribute__((target("avx512f"))) double FmaAndAdd512(int64_t n) {
  __m512d x[10], y[10];
  for (int i = 0; i < 10; ++i) x[i] = y[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (int i = 0; i < 10; ++i) {
      x[i] = _mm512_fmadd_pd(x[i], a, b);
      y[i] = _mm512_add_pd(y[i], b);
    }
  }
  for (int i = 0; i < 10; ++i) x[0] = _mm512_add_pd(x[0], x[i] + y[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double FmaAndAdd256(int64_t n) {
  __m256d x[6], y[6];
  for (int i = 0; i < 6; ++i) x[i] = y[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (int i = 0; i < 6; ++i) {
      x[i] = _mm256_fmadd_pd(x[i], a, b);
      y[i] = _mm256_add_pd(y[i], b);
    }
  }
  for (int i = 0; i < 6; ++i) x[0] = _mm256_add_pd(x[0], x[i] + y[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}
__attribute__((target("avx512f"))) double Divide512(int64_t n) {
  __m512d x[8];
  for (int i = 0; i < 8; ++i) x[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(1.001);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm512_div_pd(v, a);
  }
  for (int i = 1; i < 8; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double Divide256(int64_t n) {
  __m256d x[8];
  for (int i = 0; i < 8; ++i) x[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(1.001);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm256_div_pd(v, a);
  }
  for (int i = 1; i < 8; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}

// A division beside every 24 multiplications: what it keeps of their ports.
__attribute__((target("avx512f"))) double FmaAndDivide512(int64_t n) {
  __m512d x[12], y[4];
  for (int i = 0; i < 12; ++i) x[i] = _mm512_set1_pd(1 + i);
  for (auto& v : y) v = _mm512_set1_pd(3);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& quotient : y) {
      for (int times = 0; times < 2; ++times) {
        for (auto& v : x) v = _mm512_fmadd_pd(v, a, b);
      }
      quotient = _mm512_div_pd(quotient, a);
    }
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  for (const auto& v : y) x[0] = _mm512_add_pd(x[0], v);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double FmaAndDivide256(int64_t n) {
  __m256d x[12], y[2];
  for (int i = 0; i < 12; ++i) x[i] = _mm256_set1_pd(1 + i);
  for (auto& v : y) v = _mm256_set1_pd(3);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& quotient : y) {
      for (int times = 0; times < 2; ++times) {
        for (auto& v : x) v = _mm256_fmadd_pd(v, a, b);
      }
      quotient = _mm256_div_pd(quotient, a);
    }
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  for (const auto& v : y) x[0] = _mm256_add_pd(x[0], v);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}

// Seconds that `repeats` runs over `numbers` take, each, at best of three.
double SecondsEach(double (*run)(int64_t), int64_t repeats, double numbers) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = CpuSeconds();
    benchmark::DoNotOptimize(run(repeats));
    best = std::min(best, CpuSeconds() - begin);
  }
  return best / (static_cast<double>(repeats) * numbers);
}

// The loops, and how many numbers each works on at a time.
struct Loops {
  double (*fma)(int64_t);
  double (*pairs)(int64_t);
  double n_pairs;
  double (*mixed)(int64_t);
  double n_mixed;
  double (*divide)(int64_t);
  double lanes;
};

}  // namespace

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

Peaks MeasurePeaks(Isa isa) {
  const Loops loops = isa == Isa::kAvx512
                          ? Loops{&Fma512, &FmaAndAdd512, 10, &FmaAndDivide512,
                                  4,       &Divide512,    8}
                          : Loops{&Fma256, &FmaAndAdd256, 6, &FmaAndDivide256,
                                  2,       &Divide256,    4};
  const double fma_s = SecondsEach(loops.fma, 40'000, 12 * loops.lanes);
  const double pair_s =
      SecondsEach(loops.pairs, 20'000, loops.n_pairs * loops.lanes);
  const double mixed_s =
      SecondsEach(loops.mixed, 4'000, loops.n_mixed * loops.lanes);
  return {fma_s, std::max(0.0, pair_s - fma_s),
          std::max(0.0, mixed_s - 24 * fma_s),
          SecondsEach(loops.divide, 4'000, 8 * loops.lanes)};
}

}  // namespace somafit
