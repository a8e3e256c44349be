#pragma once

#include <cstdint>
#include <span>

namespace somafit {

// kUnused: no number is written.
enum class NoiseKind : uint8_t { kUnused, kNormal, kUniform };

// What a simulation's draws are keyed by, beside step and source.
struct NoiseKey {
  uint64_t seed = 0;
  uint64_t realization = 0;
  uint32_t trace = 0;
};

// The step of draws for initial values.
inline constexpr int64_t kInitialStep = -1;

// The numbers that simulations draw in steps begin .. end-1 from sources of
// these kinds, into numbers[step - begin][source][lane]: standard normals, or
// uniforms in [0, 1) that are multiples of 2^-52. Lane l has the key {seed,
// realizations[l], trace}.
//
// Each is a pure function of key, step, source and kind: the same bits however
// steps and lanes are cut into calls, and on every processor. Those of
// different keys, steps or sources are independent.
//
// Philox4x32-10 (random.h) with the seed as its key and all else as its
// counter; one block gives steps 2k and 2k+1 of a source. Normals are those of
// G. Box, M. Muller (1958), "A note on the generation of random normal
// deviates", Ann. Math. Stat. 29: the even step has the radius times the
// cosine, the odd one times the sine; at most 8.5 from 0, off the exact
// formula by less than 4e-15.
//
// REQUIRES: kInitialStep <= begin <= end < 2^32 - 1, realizations < 2^44,
// trace < 2^20, fewer than 2^24 sources.
void FillNoise(uint64_t seed, uint32_t trace,
               std::span<const uint64_t> realizations,
               std::span<const NoiseKind> kinds, int64_t begin, int64_t end,
               double* numbers);

}  // namespace somafit
