#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/data_rows.h"
#include "server/posterior/estimator_spec.h"

namespace somafit {

// Maps parameters [SI] to the numbers near 1 that nets work with, and back; all
// in double, since SI values of 1e-12 leave nothing of float32. Column by
// column: first, in unconstrained space, the logit of an interval or the log of
// a half-line, then (u - shift) / scale.
class ThetaMap {
 public:
  ThetaMap() = default;
  ThetaMap(ThetaSpace space, std::vector<Support> support,
           std::vector<double> shift, std::vector<double> scale);

  // Constants from the rows `rows` of `theta` [n x D]. InvalidArgument names a
  // parameter that does not vary, is not finite or leaves its bounds (in
  // unconstrained space).
  static absl::StatusOr<ThetaMap> Fit(const EstimatorSpec& spec,
                                      std::span<const double> theta,
                                      std::span<const int64_t> rows);

  size_t size() const { return shift_.size(); }
  // theta [D] -> v [D]; returns log |det dv/dtheta|. -inf, with v = 0, where
  // theta has no density: not finite, or outside of what the space covers.
  double Forward(std::span<const double> theta, std::span<double> v) const;
  // v [D] -> theta [D], within the support in unconstrained space; returns the
  // same determinant.
  double Backward(std::span<const double> v, std::span<double> theta) const;
  // d v_d / d theta_d and d log|dv_d/dtheta_d| / d theta_d at a theta that has
  // a density.
  void Slopes(std::span<const double> theta, std::span<double> slope,
              std::span<double> log_slope_gradient) const;
  // Whether v is an affine function of theta.
  bool affine() const { return space_ == ThetaSpace::kBounded; }

  const std::vector<double>& shift() const { return shift_; }
  const std::vector<double>& scale() const { return scale_; }

 private:
  enum class Kind { kLine, kAbove, kBelow, kInterval };
  Kind KindOf(size_t column) const;

  ThetaSpace space_ = ThetaSpace::kBounded;
  std::vector<Support> support_;
  std::vector<double> shift_, scale_;
};

// Scales data: (x - shift) / scale, column by column, in double.
struct DataMap {
  std::vector<double> shift, scale;

  // Constants from the rows `rows` of `x` [n x E]; NaN (missing trials) is
  // passed over. Columns that are `period` apart are scaled alike (trials); 0:
  // none are. A column that does not vary is shifted only. `column_ends`: see
  // TrainingData.
  static DataMap Fit(ZScore z_score, const DataRows& x, size_t n_features,
                     size_t period, std::span<const int64_t> rows,
                     std::span<const size_t> column_ends = {});
  void Forward(const DataRows& x, std::span<float> scaled) const;
};

}  // namespace somafit
