#include "server/inference/base_noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/random.h"

namespace somafit {
void FillBaseNoise(const DrawKey& key, int64_t draw, std::span<float> normals,
                   std::span<float> uniforms) {
  SOMAFIT_CHECK(draw >= 0 && draw < int64_t{1} << 48);
  SOMAFIT_CHECK(normals.size() + uniforms.size() <= 1 << 16);
  const std::array<uint32_t, 2> philox_key = {
      static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)};
  uint32_t block = 0;
  // Two uniform numbers with 53 bits; the next block of this draw.
  const auto next = [&] {
    const auto words =
        Philox4x32({block | static_cast<uint32_t>(draw >> 32) << 16,
                    static_cast<uint32_t>(draw), key.purpose,
                    static_cast<uint32_t>(StreamPurpose::kEstimatorNoise)},
                   philox_key);
    ++block;
    const auto unit = [](uint32_t low, uint32_t high) {
      return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
    };
    return std::array<double, 2>{unit(words[0], words[1]),
                                 unit(words[2], words[3])};
  };
  for (size_t i = 0; i < normals.size(); i += 2) {
    const auto [first, second] = next();
    const double radius = std::sqrt(-2 * Log(1 - first));
    const double angle = 2 * std::numbers::pi * second;
    normals[i] = static_cast<float>(radius * Cos(angle));
    if (i + 1 < normals.size()) {
      normals[i + 1] = static_cast<float>(radius * Sin(angle));
    }
  }
  for (size_t i = 0; i < uniforms.size(); i += 2) {
    const auto pair = next();
    // Rounding to float32 must not reach 1.
    for (size_t k = 0; k < 2 && i + k < uniforms.size(); ++k) {
      uniforms[i + k] =
          std::min(static_cast<float>(pair[k]), std::nextafter(1.0F, 0.0F));
    }
  }
}

}  // namespace somafit
