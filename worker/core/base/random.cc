#include "worker/core/base/random.h"

#include <cmath>
#include <numbers>

#include "worker/core/base/check.h"

namespace somafit {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9;
constexpr uint32_t kWeyl1 = 0xBB67AE85;

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

RandomStream::RandomStream(uint64_t seed, StreamPurpose purpose, uint32_t stage,
                           uint32_t round)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter_{0, round, stage, static_cast<uint32_t>(purpose)} {}

uint64_t RandomStream::Bits() {
  if (used_ == 4) {
    block_ = Philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  const uint64_t low = block_[used_];
  const uint64_t high = block_[used_ + 1];
  used_ += 2;
  return high << 32 | low;
}

double RandomStream::Uniform() {
  return static_cast<double>(Bits() >> 11) * 0x1p-53;
}

uint64_t RandomStream::Below(uint64_t bound) {
  SOMAFIT_CHECK(bound > 0);
  // 2^64 mod bound: what is below it would make small results likelier.
  const uint64_t excess = (0 - bound) % bound;
  uint64_t bits = Bits();
  while (bits < excess) bits = Bits();
  return bits % bound;
}

double RandomStream::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * Uniform());
}

}  // namespace somafit
