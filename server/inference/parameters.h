#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "worker/core/base/random.h"

namespace somafit {

// The most weights that an estimator may have: 1 GiB of float32.
inline constexpr int64_t kMaxWeights = int64_t{1} << 28;

// Which tensors a net and its embedding consist of, as places in one flat
// buffer. Declaring costs no memory.
class ParameterLayout {
 public:
  // The initial value of an element. A matrix is [rows x columns]; for other
  // tensors the row is the first axis and the column the rest.
  using Fill =
      std::function<double(int64_t row, int64_t column, RandomStream&)>;
  // Whether an element exists at all: others are 0 for ever.
  using Mask = std::function<bool(int64_t row, int64_t column)>;

  // Declares a tensor and returns its number.
  int Add(std::vector<int64_t> shape, Fill fill, Mask mask = nullptr);

  int64_t size() const {
    return size_;
  }  // all elements; capped above the limit
  bool too_large() const { return size_ > kMaxWeights; }
  size_t n_tensors() const { return entries_.size(); }

  // The flat buffer at the start, float32 on the CPU: a pure function of the
  // layout and the seed.
  at::Tensor Initial(uint64_t seed) const;
  // 1 where an element exists, else 0; undefined where all exist.
  at::Tensor Existing() const;

 private:
  friend class Weights;
  struct Entry {
    std::vector<int64_t> shape;
    int64_t offset = 0, size = 0;
    Fill fill;
    Mask mask;
  };
  std::vector<Entry> entries_;
  int64_t size_ = 0;
};

// A flat buffer, seen as a layout's tensors. Cheap to copy; shares the buffer.
class Weights {
 public:
  Weights() = default;
  // With a `gradient` of the same size, the tensors are leaves that backward()
  // adds to it through.
  Weights(const ParameterLayout& layout, at::Tensor flat,
          const at::Tensor& gradient = {});

  const at::Tensor& operator[](int tensor) const { return tensors_[tensor]; }
  const at::Tensor& flat() const { return flat_; }

 private:
  at::Tensor flat_;
  std::vector<at::Tensor> tensors_;
};

// Uniform within +-1/sqrt(fan_in): what LibTorch's Linear starts with.
ParameterLayout::Fill FanIn(int64_t fan_in);
ParameterLayout::Fill UniformWithin(double bound);
ParameterLayout::Fill Normal(double mean, double standard_deviation);

// x W + b, with W [in x out] and b [out].
struct Linear {
  Linear(ParameterLayout& layout, int64_t n_in, int64_t n_out)
      : Linear(layout, n_in, n_out, FanIn(n_in), FanIn(n_in)) {}
  Linear(ParameterLayout& layout, int64_t n_in, int64_t n_out,
         const ParameterLayout::Fill& weight_fill,
         const ParameterLayout::Fill& bias_fill,
         const ParameterLayout::Mask& mask = nullptr)
      : weight(layout.Add({n_in, n_out}, weight_fill, mask)),
        bias(layout.Add({n_out}, bias_fill)) {}

  at::Tensor operator()(const Weights& w, const at::Tensor& x) const {
    return at::addmm(w[bias], x, w[weight]);
  }

  int weight, bias;
};

}  // namespace somafit
