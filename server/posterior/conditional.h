#pragma once

#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include <Eigen/Core>

#include "server/posterior/pairplot.h"

namespace somafit {

// log density, up to a constant, of each row of theta [n x D].
using LogDensityFunction = std::function<absl::StatusOr<std::vector<double>>(
    std::span<const double> theta)>;

struct ConditionalOptions {
  size_t resolution = kPlotGrid;
  // What is left out at both ends, as a share of the range: densities may
  // vanish at a prior's bound itself.
  double margin = 1e-5;
  bool logarithm = false;  // log density itself, not scaled
};

// The density along parameter i, or over (i, j), with all others at
// `condition` [D]: relative to its largest value unless `logarithm`. One call
// of `density`. For i != j, values[row of j][column of i] (PlotGrid); for i ==
// j, `resolution` values. FailedPrecondition where it vanishes all over the
// grid; NaN too.
absl::StatusOr<std::vector<double>> ConditionalDensity(
    const LogDensityFunction& density, std::span<const double> condition,
    std::span<const Range> limits, size_t i, size_t j,
    const ConditionalOptions& options = {});

// The correlation of each pair of `subset` (empty: all parameters) with all
// others fixed at a condition, averaged over the rows of `conditions` [m x D];
// 1 on the diagonal. Grids of many pairs go through `density` together, a
// million rows at most a call.
absl::StatusOr<Eigen::MatrixXd> ConditionalCorrelation(
    const LogDensityFunction& density, std::span<const double> conditions,
    std::span<const Range> limits, std::span<const int> subset = {},
    size_t resolution = kPlotGrid);

}  // namespace somafit
