#include "server/inference/parameters.h"

#include <cmath>

#include "worker/core/base/check.h"

namespace somafit {

int ParameterLayout::Add(std::vector<int64_t> shape, Fill fill, Mask mask) {
  int64_t size = 1;
  for (const int64_t axis : shape) {
    SOMAFIT_CHECK(axis > 0);
    if (__builtin_mul_overflow(size, axis, &size) || size > kMaxWeights) {
      size = kMaxWeights + 1;
      break;
    }
  }
  entries_.push_back(
      {std::move(shape), size_, size, std::move(fill), std::move(mask)});
  size_ = std::min(size_ + size, kMaxWeights + 1);
  return static_cast<int>(entries_.size()) - 1;
}

at::Tensor ParameterLayout::Initial(uint64_t seed) const {
  SOMAFIT_CHECK(!too_large());
  at::Tensor flat = at::zeros({size_}, at::kFloat);
  float* const values = flat.data_ptr<float>();
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    RandomStream random(seed, StreamPurpose::kEstimatorWeights, 0,
                        static_cast<uint32_t>(i));
    const int64_t columns =
        entry.shape.empty() ? 1 : entry.size / entry.shape[0];
    for (int64_t k = 0; k < entry.size; ++k) {
      const int64_t row = k / columns, column = k % columns;
      // Drawn also where nothing is, so that a mask changes no other element.
      const double value = entry.fill(row, column, random);
      if (entry.mask != nullptr && !entry.mask(row, column)) continue;
      values[entry.offset + k] = static_cast<float>(value);
    }
  }
  return flat;
}

at::Tensor ParameterLayout::Existing() const {
  SOMAFIT_CHECK(!too_large());
  at::Tensor existing;
  for (const Entry& entry : entries_) {
    if (entry.mask == nullptr) continue;
    if (!existing.defined()) existing = at::ones({size_}, at::kFloat);
    float* const values = existing.data_ptr<float>() + entry.offset;
    const int64_t columns =
        entry.shape.empty() ? 1 : entry.size / entry.shape[0];
    for (int64_t k = 0; k < entry.size; ++k) {
      if (!entry.mask(k / columns, k % columns)) values[k] = 0;
    }
  }
  return existing;
}

Weights::Weights(const ParameterLayout& layout, at::Tensor flat,
                 const at::Tensor& gradient)
    : flat_(std::move(flat)) {
  SOMAFIT_CHECK(flat_.numel() == layout.size());
  for (const ParameterLayout::Entry& entry : layout.entries_) {
    at::Tensor tensor =
        flat_.narrow(0, entry.offset, entry.size).view(entry.shape).detach();
    if (gradient.defined()) {
      tensor.set_requires_grad(true);
      tensor.mutable_grad() =
          gradient.narrow(0, entry.offset, entry.size).view(entry.shape);
    }
    tensors_.push_back(std::move(tensor));
  }
}

ParameterLayout::Fill UniformWithin(double bound) {
  return [bound](int64_t, int64_t, RandomStream& random) {
    return bound * (2 * random.Uniform() - 1);
  };
}

ParameterLayout::Fill FanIn(int64_t fan_in) {
  return UniformWithin(1 / std::sqrt(static_cast<double>(fan_in)));
}

ParameterLayout::Fill Normal(double mean, double standard_deviation) {
  return [=](int64_t, int64_t, RandomStream& random) {
    return mean + standard_deviation * random.Normal();
  };
}

}  // namespace somafit
