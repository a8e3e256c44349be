#pragma once

#include <cstddef>
#include <vector>

#include "worker/jit/kernel.h"
#include "worker/sim/block.h"
#include "worker/sim/experiment.h"

namespace somafit {

// What a kernel adds up by itself: where each output has one term of its own,
// of the form of a mean of squares (Metric::SquareWeights).
class Squares {
 public:
  explicit Squares(const Experiment& experiment);

  // False: the metrics have to see every step.
  bool apply() const { return !weights_.empty(); }
  // Whether kernels look at weights, add without, or record.
  KernelVariant variant() const;

  // REQUIRES for all below: apply().
  Comparison Compare(size_t trace, size_t width) const;
  size_t n_outputs() const { return term_of_.size(); }
  // The term that compares an output.
  size_t TermOf(size_t output) const { return term_of_[output]; }
  // The raw error of its term, once the kernel has `added` so much in `trace`;
  // NaN where no step counts. Never less for more.
  double Error(size_t trace, size_t output, double added) const;

 private:
  struct StepWeights {
    std::vector<double> weights;  // per step
    double sum = 0;
  };
  const Experiment& experiment_;
  std::vector<size_t> term_of_;
  std::vector<std::vector<StepWeights>> weights_;  // [trace][output]
};

}  // namespace somafit
