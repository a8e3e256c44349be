#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "worker/core/base/noise.h"
#include "worker/core/base/random.h"

// How FillNoise computes, written once for 1, 4 and 8 lanes at a time. `Simd`
// declares
//
//   kWidth; Real and Word, a double and a uint64_t or GCC's vectors of such;
//   Fma and Sqrt of Real, correctly rounded; Product(x, c), of the low halves
//   of Word x and of the constant c; Xor(x, y, z)
//
// `Real{} + c` is the constant c in all lanes. Nothing here but these, + - * /
// and integer operations, hence the same bits.
// One file is compiled for AVX-512: what is not a template over `Simd` must
// stay out of that file, or the linker may take its copy for other processors.
namespace somafit::noise {

// The arguments of FillNoise.
struct Job {
  uint64_t seed;
  uint32_t trace;
  const uint64_t* realizations;
  size_t n_lanes;
  const NoiseKind* kinds;
  size_t n_sources;
  int64_t begin;
  int64_t end;
  double* numbers;
};

void FillPlain(const Job& job);
void FillAvx2(const Job& job);
void FillAvx512(const Job& job);  // REQUIRES: HasAvx512().
bool HasAvx512();

// Numbers of an even step and of the odd one after it.
template <typename Simd>
struct Numbers {
  typename Simd::Real even;
  typename Simd::Real odd;
};

// A block of Philox as two words of 64 bits.
template <typename Simd>
struct Bits {
  typename Simd::Word first;
  typename Simd::Word second;
};

template <typename Simd>
inline typename Simd::Real FromBits(const typename Simd::Word& bits) {
  return std::bit_cast<typename Simd::Real>(bits);
}

// In [1, 2), from the highest 52 bits.
template <typename Simd>
inline typename Simd::Real OneToTwo(const typename Simd::Word& bits) {
  return FromBits<Simd>(bits >> 12 | uint64_t{0x3ff0000000000000});
}

// The keys of Philox's ten rounds.
template <typename Simd>
struct Keys {
  explicit Keys(uint64_t seed) {
    for (uint64_t round = 0; round < 10; ++round) {
      first[round] = Word{} + ((seed & 0xffffffff) + round * 0x9E3779B9);
      second[round] = Word{} + ((seed >> 32) + round * 0xBB67AE85);
    }
  }
  using Word = typename Simd::Word;
  Word first[10];
  Word second[10];
};

// Philox4x32 of random.h. Only the low halves of the words count: what else is
// in them is shifted out or masked in the end.
template <typename Simd>
inline Bits<Simd> Philox(const Keys<Simd>& keys, typename Simd::Word c0,
                         typename Simd::Word c1, typename Simd::Word c2,
                         typename Simd::Word c3) {
  using Word = typename Simd::Word;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Word product0 = Simd::Product(c0, 0xD2511F53);
    const Word product1 = Simd::Product(c2, 0xCD9E8D57);
    c0 = Simd::Xor(product1 >> 32, c1, keys.first[round]);
    c1 = product1;
    c2 = Simd::Xor(product0 >> 32, c3, keys.second[round]);
    c3 = product0;
  }
  constexpr uint64_t kLow = 0xffffffff;
  return {(c0 & kLow) | c1 << 32, (c2 & kLow) | c3 << 32};
}

// -ln u for u in [2^-52, 1], relative error below 3e-16. u = 2^e m with m about
// 1; with h = 2 (1 - m) / (1 + m), -ln m = 2 artanh(h / 2) = h + h^3 p(h^2).
template <typename Simd>
inline typename Simd::Real MinusLog(const typename Simd::Real& u) {
  using Real = typename Simd::Real;
  using Word = typename Simd::Word;
  constexpr uint64_t kOne = 0x3ff0000000000000;
  constexpr uint64_t kHalfRoot = 0x3fe6a09e667f3bcd;  // sqrt(1/2), the least m
  constexpr uint64_t kMantissa = 0x000fffffffffffff;
  // p, relative error of the whole 1.3e-18: minimax.
  constexpr double kP[] = {0x1.5555555555592p-4,  0x1.999999997fd77p-7,
                           0x1.24924941f4fccp-9,  0x1.c71c520606b9dp-12,
                           0x1.74663fa26a52ap-14, 0x1.39a1a6f0440ccp-16,
                           0x1.2f0634cbab878p-18};
  const Word shifted = std::bit_cast<Word>(u) + (kOne - kHalfRoot);
  const Real m = FromBits<Simd>((shifted & kMantissa) + kHalfRoot);
  // An integer in the low bits of 2^52 is that integer more.
  const Real minus_e =
      0x1.00000000003ffp52 - FromBits<Simd>(shifted >> 52 | 0x4330000000000000);
  const Real h = (1.0 - m) / Simd::Fma(m, Real{} + 0.5, Real{} + 0.5);
  const Real square = h * h;
  Real p = Real{} + kP[6];
#pragma GCC unroll 6
  for (int i = 5; i >= 0; --i) p = Simd::Fma(p, square, Real{} + kP[i]);
  const Real log = Simd::Fma(h * square, p, h);
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  return Simd::Fma(minus_e, Real{} + kLn2, log);
}

// Box and Muller's point of the plane. Its direction is pi/4 + a with a in
// +-pi/4, in a quadrant that two more bits choose by mirroring: no reduction,
// and sin and cos need polynomials on that range alone. With c = cos a and
// s = sin a, cos and sin of the direction are (c -+ s) / sqrt 2, and the radius
// over sqrt 2 is sqrt(-ln u).
template <typename Simd>
inline Numbers<Simd> Normals(const Bits<Simd>& bits) {
  using Real = typename Simd::Real;
  using Word = typename Simd::Word;
  // sin(pi/2 z) / z and (cos(pi/2 z) - 1) / z^2 for |z| <= 1/2 as polynomials
  // in z^2: minimax, off by 3.7e-18 (relative) and 3.3e-20 (absolute).
  constexpr double kSin[] = {0x1.921fb54442d18p+0,  -0x1.4abbce625be46p-1,
                             0x1.466bc67758cb2p-4,  -0x1.32d2cce324137p-8,
                             0x1.5078300c424d9p-13, -0x1.e30098978aa9dp-19,
                             0x1.e3ff27cc27424p-25};
  constexpr double kCos[] = {-0x1.3bd3cc9be45dep+0,  0x1.03c1f081b5ab0p-2,
                             -0x1.55d3c7e3c95bcp-6,  0x1.e1f50683b42cep-11,
                             -0x1.a6d1ecb74040ep-16, 0x1.f9cc6acfe1a05p-22,
                             -0x1.b26fe86288d19p-28};
  const Real radius =
      Simd::Sqrt(MinusLog<Simd>(2.0 - OneToTwo<Simd>(bits.first)));
  const Real z = OneToTwo<Simd>(bits.second) - 1.5;
  const Real square = z * z;
  Real sine = Real{} + kSin[6];
  Real cosine = Real{} + kCos[6];
#pragma GCC unroll 6
  for (int i = 5; i >= 0; --i) {
    sine = Simd::Fma(sine, square, Real{} + kSin[i]);
    cosine = Simd::Fma(cosine, square, Real{} + kCos[i]);
  }
  sine = sine * z;
  cosine = Simd::Fma(cosine, square, Real{} + 1.0);
  const Word mirror_even = bits.second << 63;
  const Word mirror_odd = bits.second >> 1 << 63;
  const Real even = radius * (cosine - sine);
  const Real odd = radius * (cosine + sine);
  return {FromBits<Simd>(std::bit_cast<Word>(even) ^ mirror_even),
          FromBits<Simd>(std::bit_cast<Word>(odd) ^ mirror_odd)};
}

template <typename Simd>
inline Numbers<Simd> Uniforms(const Bits<Simd>& bits) {
  return {OneToTwo<Simd>(bits.first) - 1.0, OneToTwo<Simd>(bits.second) - 1.0};
}

// One source in one pair of steps.
struct Place {
  uint64_t pair;
  uint64_t source;
  double* even;  // the rows of lanes to fill; nullptr: not wanted
  double* odd;
};

// Lanes lane .. lane+n-1. Inlined, since for n = kWidth copies are moves.
template <typename Simd>
[[gnu::always_inline]] inline void FillLanes(const Job& job,
                                             const Keys<Simd>& keys,
                                             const Place& place, size_t lane,
                                             size_t n) {
  using Word = typename Simd::Word;
  constexpr auto kPurpose = static_cast<uint64_t>(StreamPurpose::kNoise);
  Word realization{};
  std::memcpy(&realization, job.realizations + lane, n * sizeof(uint64_t));
  const Bits<Simd> bits =
      Philox<Simd>(keys, Word{} + place.pair, realization,
                   realization >> 32 | uint64_t{job.trace} << 12,
                   Word{} + (place.source << 8 | kPurpose));
  const Numbers<Simd> numbers = job.kinds[place.source] == NoiseKind::kNormal
                                    ? Normals<Simd>(bits)
                                    : Uniforms<Simd>(bits);
  if (place.even != nullptr) {
    std::memcpy(place.even + lane, &numbers.even, n * sizeof(double));
  }
  if (place.odd != nullptr) {
    std::memcpy(place.odd + lane, &numbers.odd, n * sizeof(double));
  }
}

template <typename Simd>
inline void FillPair(const Job& job, const Keys<Simd>& keys,
                     const Place& place) {
  if (job.kinds[place.source] == NoiseKind::kUnused) return;
  size_t lane = 0;
  for (; lane + Simd::kWidth <= job.n_lanes; lane += Simd::kWidth) {
    FillLanes<Simd>(job, keys, place, lane, Simd::kWidth);
  }
  if (lane < job.n_lanes) {
    FillLanes<Simd>(job, keys, place, lane, job.n_lanes - lane);
  }
}

template <typename Simd>
inline void Fill(const Job& job) {
  const Keys<Simd> keys(job.seed);
  const auto row = [&](int64_t step, size_t source) -> double* {
    if (step < job.begin || step >= job.end) return nullptr;
    const auto rows = static_cast<size_t>(step - job.begin);
    return job.numbers + (rows * job.n_sources + source) * job.n_lanes;
  };
  if (job.begin == kInitialStep && job.end > kInitialStep) {
    // Beyond every other step's pair.
    constexpr uint64_t kInitialPair = 0xffffffff;
    for (size_t source = 0; source < job.n_sources; ++source) {
      FillPair<Simd>(
          job, keys,
          {kInitialPair, source, row(kInitialStep, source), nullptr});
    }
  }
  const int64_t first = job.begin < 0 ? 0 : job.begin / 2;
  for (int64_t pair = first; 2 * pair < job.end; ++pair) {
    for (size_t source = 0; source < job.n_sources; ++source) {
      FillPair<Simd>(job, keys,
                     {static_cast<uint64_t>(pair), source,
                      row(2 * pair, source), row(2 * pair + 1, source)});
    }
  }
}

}  // namespace somafit::noise
