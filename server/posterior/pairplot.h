#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace somafit {

// The numbers behind a plot of a sample's marginals and pairs: clients draw.
// Samples are rows of finite numbers, row-major.

struct Range {
  double low = 0, high = 0;
};

inline constexpr size_t kPlotGrid = 50;

// Of each parameter: least to greatest value of all samples and points [n x
// D], a tenth of that wider on both sides. A parameter with one value gets a
// tenth of that (or 1 if it is 0) on both sides.
std::vector<Range> PlotLimits(
    std::span<const std::span<const double>> samples_and_points, size_t d);

// Bin i counts low + i width <= value < low + (i + 1) width.
struct Histogram {
  double low = 0, width = 0;
  std::vector<int64_t> counts;
};
// Bins 2 IQR n^(-1/3) wide (D. Freedman, P. Diaconis (1981)) from limits.low
// until past limits.high. Where the quartiles are equal, or more than 1000 bins
// would come of it, a single bin or 1000.
Histogram HistogramOf(std::span<const double> values, const Range& limits);

// The kernel's width as a factor on the sample's standard deviation; in d
// dimensions Scott's n^(-1/(d+4)), Silverman's (n (d+2) / 4)^(-1/(d+4)).
struct Bandwidth {
  enum class Rule { kScott, kSilverman, kFactor } rule = Rule::kScott;
  double factor = 1;  // for kFactor, above 0
};

// The Gaussian kernel density estimate at `n_grid` evenly spaced points, both
// limits included. All 0 where the values do not vary.
std::vector<double> KernelDensity(std::span<const double> values,
                                  const Range& limits,
                                  const Bandwidth& bandwidth = {},
                                  size_t n_grid = kPlotGrid);

// values[row * n + column]; rows go up the vertical axis, columns along the
// horizontal one.
struct PlotGrid {
  size_t n = kPlotGrid;
  Range horizontal, vertical;
  std::vector<double> values;
};

// Counts in n x n equal bins; what lies at an upper limit is in the last one.
PlotGrid HistogramOfPair(std::span<const double> theta, size_t d,
                         size_t horizontal, size_t vertical,
                         std::span<const Range> limits, size_t n = kPlotGrid);
// The Gaussian kernel density estimate with the sample's covariance times the
// factor squared, at n x n points, limits included; nullopt where a parameter
// does not vary or the two are perfectly correlated.
std::optional<PlotGrid> KernelDensityOfPair(std::span<const double> theta,
                                            size_t d, size_t horizontal,
                                            size_t vertical,
                                            std::span<const Range> limits,
                                            const Bandwidth& bandwidth = {},
                                            size_t n = kPlotGrid);

// For each cell of a grid the smallest of `levels` (ascending, e.g. .68 .95
// .99) such that it belongs to the highest-density region of that mass; 1
// outside all. A cell belongs if the cells that are denser hold less.
std::vector<double> ContourLevels(const PlotGrid& grid,
                                  std::span<const double> levels);

}  // namespace somafit
