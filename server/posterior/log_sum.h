#pragma once

#include <cstddef>
#include <span>

namespace somafit {

// log sum_i exp(x_i), without overflow; -inf of nothing, or of -inf alone.
double LogSumExp(std::span<const double> x);
// Subtracts it from each, so that the exponentials add to 1.
void NormalizeLog(std::span<double> x);
// The first index at which the cumulated exponentials exceed `uniform`, which
// is in [0, 1). REQUIRES: they add to 1; never one of weight 0.
size_t DrawIndex(std::span<const double> log_weights, double uniform);

}  // namespace somafit
