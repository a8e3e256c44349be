#include "worker/core/data/recording.h"

namespace somafit {

RecordingShape::RecordingShape(size_t n_outputs, std::vector<size_t> steps)
    : n_outputs_(n_outputs), steps_(std::move(steps)) {
  offsets_.reserve(steps_.size());
  for (const size_t n_steps : steps_) {
    offsets_.push_back(size_);
    size_ += n_outputs_ * n_steps;
  }
}

RecordingShape ShapeOf(const Dataset& dataset, size_t n_outputs) {
  std::vector<size_t> steps;
  steps.reserve(dataset.traces.size());
  for (const Trace& trace : dataset.traces) steps.push_back(trace.n_steps());
  return RecordingShape(n_outputs, std::move(steps));
}

}  // namespace somafit
