#pragma once

#include <array>
#include <cstdint>

namespace somafit {

// The Philox4x32-10 block function: 128 random bits as a pure function of a
// key and a counter.
//
// J. Salmon, M. Moraes, R. Dror, D. Shaw (2011), "Parallel random numbers: as
// easy as 1, 2, 3", SC'11. Equal to the reference implementation's output.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key);

// What a stream is for: streams of different purposes never overlap.
enum class StreamPurpose : uint32_t {
  kOptimizer = 1,  // keyed by (seed, stage, round)
  kExample = 2,    // noise that example data is made with
  kNoise = 3,      // numbers drawn while simulating: noise.h
  kTrial = 4,      // parameters that a model is tried with
  // Draws of inference, keyed by (seed, what they are for, the draw's number):
  kPrior = 5,       // from a prior
  kMixture = 6,     // from a mixture of normal distributions
  kMember = 7,      // which estimator of an ensemble draws
  kAcceptance = 8,  // whether a candidate is kept
  // Of density estimators:
  kEstimatorNoise = 16,    // what draws are made from; keyed by DrawKey
  kEstimatorWeights = 17,  // initial weights, one stream a tensor
  kEstimatorRows = 18,     // split and order of training rows
  kEstimatorAtoms = 19,    // contrasting rows of the atomic loss
};

// A sequence of random numbers that is a pure function of
// (seed, purpose, stage, round): the same on every machine, however the
// numbers are drawn by however many threads.
class RandomStream {
 public:
  RandomStream(uint64_t seed, StreamPurpose purpose, uint32_t stage,
               uint32_t round);

  // 64 random bits.
  uint64_t Bits();
  // Uniform in [0, 1), a multiple of 2^-53.
  double Uniform();
  // Uniform in 0..bound-1, without bias. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Standard normal, by the polar-free Box-Muller transform; one draw per call.
  // Uses the C library's log and cos: reproducible on one C library only, hence
  // not for anything that a fit's samples depend on.
  double Normal();

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;  // [0] counts blocks.
  std::array<uint32_t, 4> block_{};
  int used_ = 4;  // Words of block_ already handed out.
};

}  // namespace somafit
