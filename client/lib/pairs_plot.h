#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "client/lib/histogram.h"
#include "somafit/v1/fit.pb.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

// A triangle of panels: each parameter alone on the diagonal, each pair above
// it, row i having parameter i upwards and column j parameter j to the right.
struct PairsPlot {
  struct Axis {
    v1::Variable variable;
    Limits limits;  // SI
  };
  // A line through (x, y), x in SI; y from 0, of any size.
  struct Curve {
    std::vector<double> x, y;
  };
  std::string title;
  std::vector<Axis> axes;
  std::vector<Curve> diagonal;  // one an axis
  // Of pairs (0, 1), (0, 2), ..., (1, 2), ...: parameter j in columns, i in
  // rows, over the limits of both.
  std::vector<Grid> pairs;
  // Lines around regions of highest density of this mass, of the grids
  // smoothed; empty: none.
  std::vector<double> masses;
  bool smooth_contours = true;
  bool show_cells = true;
  std::vector<std::vector<double>> points;  // SI, one number an axis
};

// The plot of draws, [n x axes], row-major, SI. Rows that are not finite take
// no part.
PairsPlot PlotOfDraws(const std::vector<v1::Variable>& variables,
                      const std::vector<double>& draws,
                      const std::vector<Limits>& limits);
// Limits that hold all finite draws and points, as LimitsOf has them.
std::vector<Limits> LimitsOfDraws(
    size_t n_axes, const std::vector<double>& draws,
    const std::vector<std::vector<double>>& points);

// The plot of a ConditionalQuery's answer without `correlations`.
// REQUIRES: CheckConditional.
PairsPlot PlotOfConditional(const std::vector<v1::Variable>& variables,
                            const v1::PosteriorAnswer& answer);
// Internal unless the answer has what `n` parameters need.
absl::Status CheckConditional(size_t n, const v1::PosteriorAnswer& answer);

// As a picture in SVG 1.1, with units and ticks.
std::string SvgOf(const PairsPlot& plot);

// "nice" numbers within the limits, 2 to 5 of them.
std::vector<double> TicksOf(const Limits& limits);

}  // namespace somafit
