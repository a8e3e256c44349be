#pragma once

#include <ATen/ATen.h>

namespace somafit {

// A monotone map of each element: rational-quadratic pieces between `n_bins` +
// 1 knots within +-bound, the identity outside.
//
// C. Durkan, A. Bekasov, I. Murray, G. Papamakarios (2019), "Neural Spline
// Flows", NeurIPS, equations 4 to 8 and section 3.1.
struct SplineShape {
  int64_t n_bins = 10;
  double bound = 3;
  // What raw widths and heights are multiplied by before the softmax.
  double raw_scale = 1;
  // Numbers an element's spline is made from: widths, heights, inner slopes.
  int64_t n_raw() const { return 3 * n_bins - 1; }
};

struct SplineResult {
  at::Tensor value;      // like the input
  at::Tensor log_slope;  // log d value / d input
};

// v [n x T], raw [n x T x n_raw()].
SplineResult ApplySpline(const SplineShape& shape, const at::Tensor& v,
                         const at::Tensor& raw);
SplineResult InvertSpline(const SplineShape& shape, const at::Tensor& z,
                          const at::Tensor& raw);

}  // namespace somafit
