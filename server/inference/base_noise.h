#pragma once

#include <cstdint>
#include <span>

#include "server/posterior/density_estimator.h"

namespace somafit {

// The numbers that draw `draw` of `key` is made from: standard normal ones
// (Box and Muller's transform, both outputs) and uniform ones in [0, 1). A pure
// function of the key and the draw. REQUIRES: 0 <= draw < 2^48, and at most
// 2^16 numbers.
void FillBaseNoise(const DrawKey& key, int64_t draw, std::span<float> normals,
                   std::span<float> uniforms);

}  // namespace somafit
