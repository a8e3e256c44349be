#include "worker/core/base/noise.h"

#include <bit>
#include <cmath>
#include <immintrin.h>

#include "worker/core/base/check.h"
#include "worker/core/base/noise_kernel.h"

namespace somafit {
namespace noise {
namespace {

struct Plain {
  static constexpr size_t kWidth = 1;
  using Real = double;
  using Word = uint64_t;
  static Real ToReal(Word x) { return std::bit_cast<Real>(x); }
  static Word ToWord(Real x) { return std::bit_cast<Word>(x); }
  static Real Fma(Real a, Real b, Real c) { return std::fma(a, b, c); }
  static Real Sqrt(Real x) { return std::sqrt(x); }
  static Word Product(Word x, uint64_t c) { return (x & 0xffffffff) * c; }
  static Word High(Word x) { return x >> 32; }
  static Word Xor(Word x, Word y, Word z) { return x ^ y ^ z; }
};

struct Avx2 {
  static constexpr size_t kWidth = 4;
  typedef double Real __attribute__((vector_size(32)));
  typedef uint64_t Word __attribute__((vector_size(32)));
  static Real ToReal(Word x) { return std::bit_cast<Real>(x); }
  static Word ToWord(Real x) { return std::bit_cast<Word>(x); }
  static Real Fma(Real a, Real b, Real c) { return _mm256_fmadd_pd(a, b, c); }
  static Real Sqrt(Real x) { return _mm256_sqrt_pd(x); }
  static Word Product(Word x, uint64_t c) {
    return Word(_mm256_mul_epu32(__m256i(x), __m256i(Word{} + c)));
  }
  // Shifts would wait for the ports of the multiplications.
  static Word High(Word x) {
    return Word(_mm256_shuffle_epi32(__m256i(x), 0xf5));
  }
  static Word Xor(Word x, Word y, Word z) { return x ^ y ^ z; }
};

}  // namespace

void FillPlain(const Job& job) { Fill<Plain>(job); }
void FillAvx2(const Job& job) { Fill<Avx2>(job); }
bool HasAvx512() { return __builtin_cpu_supports("avx512f"); }

}  // namespace noise

void FillNoise(uint64_t seed, uint32_t trace,
               std::span<const uint64_t> realizations,
               std::span<const NoiseKind> kinds, int64_t begin, int64_t end,
               double* numbers) {
  SOMAFIT_CHECK(begin >= kInitialStep && begin <= end && end < 0xffffffff);
  SOMAFIT_CHECK(trace < uint32_t{1} << 20);
  SOMAFIT_CHECK(kinds.size() < size_t{1} << 24);
  for (const uint64_t realization : realizations) {
    SOMAFIT_CHECK(realization < uint64_t{1} << 44);
  }
  static const bool has_avx512 = noise::HasAvx512();
  (has_avx512 ? noise::FillAvx512
              : noise::FillAvx2)({.seed = seed,
                                  .trace = trace,
                                  .realizations = realizations.data(),
                                  .n_lanes = realizations.size(),
                                  .kinds = kinds.data(),
                                  .n_sources = kinds.size(),
                                  .begin = begin,
                                  .end = end,
                                  .numbers = numbers});
}

}  // namespace somafit
