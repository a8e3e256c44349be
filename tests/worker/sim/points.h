#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/core/base/random.h"

namespace somafit {

// Points of a dimensionless parameter in [0, 3) and a time constant [s].
inline std::vector<std::vector<double>> Points(size_t n) {
  RandomStream random(6, StreamPurpose::kExample, 0, 0);
  std::vector<std::vector<double>> points;
  for (size_t i = 0; i < n; ++i) {
    points.push_back({3 * random.Uniform(), 1e-3 + 0.02 * random.Uniform()});
  }
  return points;
}

// Equal to the bit, all NaNs being one.
inline bool SameBits(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<uint64_t>(a[i]) != std::bit_cast<uint64_t>(b[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace somafit
