#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "worker/core/data/dataset.h"

namespace somafit {

// What the variables that were asked for did on every trace, for one point:
// numbers in SI, laid out as [trace][output][step] by a RecordingShape. Each
// number is before the update of its step. NaN and infinities are values.
using Recording = std::vector<double>;

class RecordingShape {
 public:
  RecordingShape() = default;
  // `steps`: per trace.
  RecordingShape(size_t n_outputs, std::vector<size_t> steps);

  size_t n_outputs() const { return n_outputs_; }
  size_t n_traces() const { return steps_.size(); }
  size_t steps(size_t trace) const { return steps_[trace]; }
  size_t size() const { return size_; }  // numbers in one recording

  // Where the series of an output on a trace begins.
  size_t Offset(size_t trace, size_t output) const {
    return offsets_[trace] + output * steps_[trace];
  }
  std::span<const double> Series(const Recording& recording, size_t trace,
                                 size_t output) const {
    return std::span(recording).subspan(Offset(trace, output), steps_[trace]);
  }

 private:
  size_t n_outputs_ = 0;
  std::vector<size_t> steps_;
  std::vector<size_t> offsets_;  // of each trace
  size_t size_ = 0;
};

// Of `n_outputs` variables on every trace of `dataset`.
RecordingShape ShapeOf(const Dataset& dataset, size_t n_outputs);

}  // namespace somafit
