#pragma once

#include <cstdint>
#include <optional>

#include <ATen/ATen.h>

namespace somafit {

// The optimizer's side of a training: flat tensors of one size.
//
// D. Kingma, J. Ba (2015), "Adam: A Method for Stochastic Optimization", ICLR,
// algorithm 1, over one flat vector: a handful of operations, whatever the net
// consists of.
struct Optimization {
  at::Tensor weights, gradient;  // the net's tensors are views of them
  at::Tensor first_moment, second_moment;
  at::Tensor average;  // of the weights; undefined: none is kept
  int64_t steps = 0;   // since the moments were 0
  int64_t averaged = 0;
  double rate = 0;

  static Optimization From(const at::Tensor& start, double rate, bool averages);
  // Starts anew from `weights`: moments and average are forgotten.
  void RestartFrom(const at::Tensor& start);
  // One step along `gradient`, of which only what `existing` (or all) has
  // counts, shortened to `max_norm`.
  void Step(const at::Tensor& existing, std::optional<double> max_norm);
  // Moves the average by 1/window, or by as much as makes it the plain mean of
  // the steps while they are fewer.
  void Average(double window);
};

}  // namespace somafit
