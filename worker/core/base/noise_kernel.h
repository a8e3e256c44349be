#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "worker/core/base/noise.h"
#include "worker/core/base/random.h"

// How FillNoise computes, written once for 1, 4 and 8 lanes at a time. `Simd`
// declares
//
//   kWidth; Real and Word, a double and a uint64_t or vectors of such; ToReal
//   and ToWord, one's bits as the other; Fma and Sqrt of Real, correctly
//   rounded; Product(x, c), of the low halves of Word x and of the constant c;
//   High(x), a word whose low half is the high one of x, its high half
//   anything; Xor(x, y, z)
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

// In [1, 2), from the highest 52 bits.
template <typename Simd>
inline typename Simd::Real OneToTwo(const typename Simd::Word& bits) {
  return Simd::ToReal(bits >> 12 | uint64_t{0x3ff0000000000000});
}

// The keys of Philox's ten rounds.
struct Keys {
  uint64_t first[10];
  uint64_t second[10];
};

// Philox4x32-10 of random.h for one source of one pair of steps. Only the low
// halves of words count: what else is in them is shifted out or masked in the
// end. The first two rounds mix what lanes have of their own with what they
// share in a few places alone, and hence are done for all steps, and for all
// lanes, at once.
template <typename Simd>
class Philox {
 public:
  using Word = typename Simd::Word;

  // `realization` per lane.
  Philox(const Keys& keys, const Word& realization, uint32_t trace)
      : keys_(keys) {
    const Word product =
        Simd::Product(realization >> 32 | uint64_t{trace} << 12, kSecond);
    const Word c0 =
        Simd::Xor(Simd::High(product), realization, Key(keys.first[0]));
    c3_ = Simd::Product(c0, kFirst);
    c0_ = product ^ Key(keys.first[1]);
    c2_ = Simd::High(c3_) ^ Key(keys.second[1]);
  }

  Bits<Simd> operator()(uint64_t pair, uint64_t source) const {
    constexpr auto kPurpose = static_cast<uint64_t>(StreamPurpose::kNoise);
    const uint64_t product0 = pair * kFirst;
    const uint64_t product1 =
        ((product0 >> 32 ^ (source << 8 | kPurpose) ^ keys_.second[0]) & kLow) *
        kSecond;
    Word c0 = c0_ ^ Key(product1 >> 32);
    Word c1 = Key(product1);
    Word c2 = c2_ ^ Key(product0);
    Word c3 = c3_;
#pragma GCC unroll 8
    for (int round = 2; round < 10; ++round) {
      const Word next0 = Simd::Product(c0, kFirst);
      const Word next1 = Simd::Product(c2, kSecond);
      c0 = Simd::Xor(Simd::High(next1), c1, Key(keys_.first[round]));
      c1 = next1;
      c2 = Simd::Xor(Simd::High(next0), c3, Key(keys_.second[round]));
      c3 = next0;
    }
    return {(c0 & kLow) | c1 << 32, (c2 & kLow) | c3 << 32};
  }

 private:
  static constexpr uint64_t kFirst = 0xD2511F53;
  static constexpr uint64_t kSecond = 0xCD9E8D57;
  static constexpr uint64_t kLow = 0xffffffff;
  static Word Key(uint64_t key) { return Word{} + key; }

  const Keys keys_;
  Word c0_, c2_, c3_;  // what a lane has of its own after the second round
};

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
  const Word shifted = Simd::ToWord(u) + (kOne - kHalfRoot);
  const Real m = Simd::ToReal((shifted & kMantissa) + kHalfRoot);
  // An integer in the low bits of 2^52 is that integer more.
  const Real minus_e =
      0x1.00000000003ffp52 - Simd::ToReal(shifted >> 52 | 0x4330000000000000);
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
inline Numbers<Simd> Normals(const typename Simd::Real& minus_log,
                             const typename Simd::Word& bits) {
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
  const Real radius = Simd::Sqrt(minus_log);
  const Real z = OneToTwo<Simd>(bits) - 1.5;
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
  const Word mirror_even = bits << 63;
  const Word mirror_odd = bits >> 1 << 63;
  const Real even = radius * (cosine - sine);
  const Real odd = radius * (cosine + sine);
  return {Simd::ToReal(Simd::ToWord(even) ^ mirror_even),
          Simd::ToReal(Simd::ToWord(odd) ^ mirror_odd)};
}

template <typename Simd>
inline Numbers<Simd> Uniforms(const Bits<Simd>& bits) {
  return {OneToTwo<Simd>(bits.first) - 1.0, OneToTwo<Simd>(bits.second) - 1.0};
}

// The lanes lane .. lane+n-1 of a job. REQUIRES: n <= kWidth.
//
// A number is one long chain of operations, longer than the processor looks
// ahead. So it is drawn in three short ones, each for several pairs of steps:
// those of different pairs then run at the same time.
template <typename Simd>
class LanesOf {
 public:
  using Real = typename Simd::Real;
  using Word = typename Simd::Word;

  LanesOf(const Job& job, const Keys& keys, size_t lane, size_t n)
      : job_(job),
        lane_(lane),
        n_(n),
        philox_(keys, Realizations(), job.trace) {}

  void Fill() {
    int64_t step = job_.begin;
    if (step == kInitialStep) {
      // Beyond every other step's pair.
      constexpr uint64_t kInitialPair = 0xffffffff;
      if (step < job_.end) FillPairs(kInitialPair, 1, step);
      ++step;
    }
    for (step -= step & 1; step < job_.end; step += 2 * kPairs) {
      const auto pairs = static_cast<size_t>(job_.end - step + 1) / 2;
      FillPairs(static_cast<uint64_t>(step) / 2,
                pairs < kPairs ? pairs : kPairs, step);
    }
  }

 private:
  static constexpr size_t kPairs = 16;

  Word Realizations() const {
    Word realizations{};
    std::memcpy(&realizations, job_.realizations + lane_,
                n_ * sizeof(uint64_t));
    return realizations;
  }

  // `count` pairs from `first` on, of the steps from `step` on.
  void FillPairs(uint64_t first, size_t count, int64_t step) {
    // What is drawn for initial values has no odd step.
    const int64_t end =
        step == kInitialStep ? 0 : step + 2 * static_cast<int64_t>(count);
    const bool is_whole = n_ == Simd::kWidth && step >= job_.begin &&
                          end == step + 2 * static_cast<int64_t>(count) &&
                          end <= job_.end;
    for (size_t source = 0; source < job_.n_sources; ++source) {
      if (job_.kinds[source] == NoiseKind::kUnused) continue;
      // In whole to where it belongs, else first to where there is room.
      const Rows rows =
          is_whole ? RowsFrom(source, step) : Rows{scratch_, Simd::kWidth};
      for (size_t i = 0; i < count; ++i) bits_[i] = philox_(first + i, source);
      if (job_.kinds[source] == NoiseKind::kNormal) {
        for (size_t i = 0; i < count; ++i) {
          minus_logs_[i] = MinusLog<Simd>(2.0 - OneToTwo<Simd>(bits_[i].first));
        }
        for (size_t i = 0; i < count; ++i) {
          rows.Put(i, Normals<Simd>(minus_logs_[i], bits_[i].second));
        }
      } else {
        for (size_t i = 0; i < count; ++i) {
          rows.Put(i, Uniforms<Simd>(bits_[i]));
        }
      }
      if (!is_whole) CopyWanted(source, step, end);
    }
  }

  // Where steps' numbers lie.
  struct Rows {
    double* first;
    size_t stride;

    void Put(size_t pair, const Numbers<Simd>& numbers) const {
      double* const even = first + 2 * pair * stride;
      std::memcpy(even, &numbers.even, sizeof numbers.even);
      std::memcpy(even + stride, &numbers.odd, sizeof numbers.odd);
    }
  };

  // REQUIRES: `step` is one of the job's.
  Rows RowsFrom(size_t source, int64_t step) const {
    const size_t stride = job_.n_sources * job_.n_lanes;
    return {job_.numbers + static_cast<size_t>(step - job_.begin) * stride +
                source * job_.n_lanes + lane_,
            stride};
  }

  // Of the steps `step` .. `end`-1 in `scratch_`, those that are wanted.
  void CopyWanted(size_t source, int64_t step, int64_t end) const {
    const int64_t first = step < job_.begin ? job_.begin : step;
    const int64_t last = end < job_.end ? end : job_.end;
    if (first >= last) return;
    const Rows rows = RowsFrom(source, first);
    for (int64_t k = first; k < last; ++k) {
      std::memcpy(rows.first + static_cast<size_t>(k - first) * rows.stride,
                  scratch_ + static_cast<size_t>(k - step) * Simd::kWidth,
                  n_ * sizeof(double));
    }
  }

  const Job& job_;
  const size_t lane_, n_;
  const Philox<Simd> philox_;
  Bits<Simd> bits_[kPairs];
  Real minus_logs_[kPairs];
  double scratch_[2 * kPairs * Simd::kWidth];  // of steps
};

template <typename Simd>
inline void Fill(const Job& job) {
  Keys keys;
  for (uint64_t round = 0; round < 10; ++round) {
    keys.first[round] = (job.seed & 0xffffffff) + round * 0x9E3779B9;
    keys.second[round] = (job.seed >> 32) + round * 0xBB67AE85;
  }
  for (size_t lane = 0; lane < job.n_lanes; lane += Simd::kWidth) {
    const size_t left = job.n_lanes - lane;
    LanesOf<Simd>(job, keys, lane, left < Simd::kWidth ? left : Simd::kWidth)
        .Fill();
  }
}

}  // namespace somafit::noise
