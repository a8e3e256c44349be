#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace somafit {

// Rows of x [n x E], row-major: doubles, or where there are many numbers, as of
// raw traces, floats. Refers to them.
class DataRows {
 public:
  DataRows() = default;
  DataRows(std::span<const double> rows) : doubles_(rows) {}     // NOLINT
  DataRows(std::span<const float> rows) : floats_(rows) {}       // NOLINT
  DataRows(const std::vector<double>& rows) : doubles_(rows) {}  // NOLINT
  DataRows(const std::vector<float>& rows) : floats_(rows) {}    // NOLINT

  size_t size() const { return doubles_.size() + floats_.size(); }
  double operator[](size_t i) const {
    return floats_.empty() ? doubles_[i] : static_cast<double>(floats_[i]);
  }
  DataRows subspan(size_t first, size_t n) const {
    return floats_.empty() ? DataRows(doubles_.subspan(first, n))
                           : DataRows(floats_.subspan(first, n));
  }
  // One of both is empty.
  std::span<const double> doubles() const { return doubles_; }
  std::span<const float> floats() const { return floats_; }

 private:
  std::span<const double> doubles_;
  std::span<const float> floats_;
};

}  // namespace somafit
