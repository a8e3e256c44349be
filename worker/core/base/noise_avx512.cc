// The only file that is compiled for AVX-512: see noise_kernel.h.

#include <bit>
#include <immintrin.h>

#include "worker/core/base/noise_kernel.h"

namespace somafit::noise {
namespace {

struct Avx512 {
  static constexpr size_t kWidth = 8;
  typedef double Real __attribute__((vector_size(64)));
  typedef uint64_t Word __attribute__((vector_size(64)));
  static constexpr __mmask8 kAll = 0xff;
  static Real ToReal(Word x) { return std::bit_cast<Real>(x); }
  static Word ToWord(Real x) { return std::bit_cast<Word>(x); }
  static Real Fma(Real a, Real b, Real c) { return _mm512_fmadd_pd(a, b, c); }
  // The forms without a mask start from an undefined vector, of which GCC 12
  // warns (PR 105593); with a constant mask they are the same instructions.
  static Real Sqrt(Real x) { return _mm512_maskz_sqrt_pd(kAll, x); }
  static Word Product(Word x, uint64_t c) {
    return Word(_mm512_maskz_mul_epu32(kAll, __m512i(x), __m512i(Word{} + c)));
  }
  // A shift would wait for the port of the multiplications.
  static Word High(Word x) {
    return Word(_mm512_maskz_shuffle_epi32(0xffff, __m512i(x), _MM_PERM_DDBB));
  }
  static Word Xor(Word x, Word y, Word z) {
    return Word(
        _mm512_ternarylogic_epi64(__m512i(x), __m512i(y), __m512i(z), 0x96));
  }
};

}  // namespace

void FillAvx512(const Job& job) { Fill<Avx512>(job); }

}  // namespace somafit::noise
