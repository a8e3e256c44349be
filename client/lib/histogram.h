#pragma once

#include <cstdint>
#include <vector>

namespace somafit {

// Numbers behind plots of draws.

struct Limits {
  double lower = 0, upper = 1;
};

// From the least to the largest, widened by 10 % of that on each side; of one
// value alone, a little around it. REQUIRES: a finite value.
Limits LimitsOf(const std::vector<double>& values);

struct Histogram {
  double lower = 0, width = 1;  // of the first bin; of all
  std::vector<int64_t> counts;  // of values from lower + i width on
};
// Bins of width 2 IQR n^(-1/3) (Freedman and Diaconis) from the lower limit
// until past the upper one; a single bin where the quartiles are equal, and at
// most 500 of them. What lies beyond is not counted.
Histogram HistogramOf(const std::vector<double>& values, const Limits& limits);

// Numbers on a grid of cells, row by row from the lowest y.
struct Grid {
  int columns = 0, rows = 0;
  std::vector<double> cells;  // [rows][columns]

  double At(int row, int column) const { return cells[row * columns + column]; }
};
// Counts in equal bins within the limits.
Grid Histogram2d(const std::vector<double>& x, const std::vector<double>& y,
                 const Limits& x_limits, const Limits& y_limits, int bins = 50);

// The density that counts come from: they are smeared by a Gaussian with the
// covariance of the counts times n^(-1/3) (Scott's rule for two dimensions).
Grid Smoothed(const Grid& counts);

// The number for which all cells that have at least that much hold `mass` of
// the whole: the border of the region of highest density.
double HighestDensityThreshold(const Grid& grid, double mass);

// Where a grid, linear between its cells' middles, has the value `level`: pairs
// of ends of short lines, x0, y0, x1, y1, in cells.
std::vector<double> ContourLines(const Grid& grid, double level);

// The value below which a share of `sorted` lies, linear in between.
double QuantileOf(const std::vector<double>& sorted, double share);

}  // namespace somafit
