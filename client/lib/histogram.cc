#include "client/lib/histogram.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace somafit {
namespace {

constexpr double kMostBins = 500;

}  // namespace

Limits LimitsOf(const std::vector<double>& values) {
  double least = HUGE_VAL, most = -HUGE_VAL;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  double margin = 0.1 * (most - least);
  if (!(margin > 0)) margin = least == 0 ? 1 : 0.1 * std::abs(least);
  return {least - margin, most + margin};
}

double QuantileOf(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return std::nan("");
  const double at = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

Histogram HistogramOf(const std::vector<double>& values, const Limits& limits) {
  std::vector<double> sorted;
  for (const double value : values) {
    if (std::isfinite(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  const double range = limits.upper - limits.lower;
  Histogram histogram{limits.lower, range, {}};
  if (!sorted.empty()) {
    const double iqr = QuantileOf(sorted, 0.75) - QuantileOf(sorted, 0.25);
    const double width =
        2 * iqr / std::cbrt(static_cast<double>(sorted.size()));
    if (width > 0) {
      histogram.width = std::min(range, std::max(width, range / kMostBins));
    }
  }
  const double bins = std::ceil(range / histogram.width * (1 - 1e-12));
  histogram.counts.resize(static_cast<size_t>(std::max(1.0, bins)));
  for (const double value : sorted) {
    if (value < limits.lower || value > limits.upper) continue;
    const auto bin =
        static_cast<size_t>((value - limits.lower) / histogram.width);
    ++histogram.counts[std::min(bin, histogram.counts.size() - 1)];
  }
  return histogram;
}

Grid Histogram2d(const std::vector<double>& x, const std::vector<double>& y,
                 const Limits& x_limits, const Limits& y_limits, int bins) {
  Grid grid{bins, bins, std::vector<double>(static_cast<size_t>(bins) * bins)};
  const auto bin = [&](double value, const Limits& limits) {
    if (!(value >= limits.lower && value <= limits.upper)) return -1;
    const double share = (value - limits.lower) / (limits.upper - limits.lower);
    return std::min(static_cast<int>(share * bins), bins - 1);
  };
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    const int column = bin(x[i], x_limits);
    const int row = bin(y[i], y_limits);
    if (column >= 0 && row >= 0) ++grid.cells[row * bins + column];
  }
  return grid;
}

Grid Smoothed(const Grid& counts) {
  double n = 0, mx = 0, my = 0;
  for (int row = 0; row < counts.rows; ++row) {
    for (int column = 0; column < counts.columns; ++column) {
      const double count = counts.At(row, column);
      n += count;
      mx += count * column;
      my += count * row;
    }
  }
  if (!(n > 0)) return counts;
  mx /= n;
  my /= n;
  // 1/12 is what a bin itself is wide.
  double xx = 1. / 12, yy = 1. / 12, xy = 0;
  for (int row = 0; row < counts.rows; ++row) {
    for (int column = 0; column < counts.columns; ++column) {
      const double share = counts.At(row, column) / n;
      xx += share * (column - mx) * (column - mx);
      yy += share * (row - my) * (row - my);
      xy += share * (column - mx) * (row - my);
    }
  }
  const double factor = 1 / std::cbrt(n);  // Scott's n^(-1/6), squared
  xx *= factor;
  yy *= factor;
  // A kernel that is narrower than a cell would show the cells.
  xx = std::max(xx, 0.5);
  yy = std::max(yy, 0.5);
  const double most = 0.95 * std::sqrt(xx * yy);
  xy = std::clamp(xy * factor, -most, most);
  const double determinant = xx * yy - xy * xy;
  const int rx =
      std::min(counts.columns, static_cast<int>(4 * std::sqrt(xx)) + 1);
  const int ry = std::min(counts.rows, static_cast<int>(4 * std::sqrt(yy)) + 1);
  std::vector<double> kernel;
  for (int dy = -ry; dy <= ry; ++dy) {
    for (int dx = -rx; dx <= rx; ++dx) {
      const double form =
          (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant;
      kernel.push_back(std::exp(-0.5 * form));
    }
  }
  Grid smooth = counts;
  std::fill(smooth.cells.begin(), smooth.cells.end(), 0);
  for (int row = 0; row < counts.rows; ++row) {
    for (int column = 0; column < counts.columns; ++column) {
      const double count = counts.At(row, column);
      if (count == 0) continue;
      for (int dy = -ry; dy <= ry; ++dy) {
        if (row + dy < 0 || row + dy >= counts.rows) continue;
        for (int dx = -rx; dx <= rx; ++dx) {
          if (column + dx < 0 || column + dx >= counts.columns) continue;
          smooth.cells[(row + dy) * counts.columns + column + dx] +=
              count * kernel[(dy + ry) * (2 * rx + 1) + dx + rx];
        }
      }
    }
  }
  return smooth;
}

double HighestDensityThreshold(const Grid& grid, double mass) {
  std::vector<double> sorted = grid.cells;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double whole = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  double sum = 0;
  for (const double cell : sorted) {
    sum += cell;
    if (sum >= mass * whole) return cell;
  }
  return sorted.empty() ? 0 : sorted.back();
}

std::vector<double> ContourLines(const Grid& grid, double level) {
  std::vector<double> lines;
  for (int row = 0; row + 1 < grid.rows; ++row) {
    for (int column = 0; column + 1 < grid.columns; ++column) {
      // Corners of a square between four middles, counter-clockwise.
      const double at[] = {grid.At(row, column), grid.At(row, column + 1),
                           grid.At(row + 1, column + 1),
                           grid.At(row + 1, column)};
      const double x[] = {column + 0.5, column + 1.5, column + 1.5,
                          column + 0.5};
      const double y[] = {row + 0.5, row + 0.5, row + 1.5, row + 1.5};
      std::vector<double> ends;
      for (int side = 0; side < 4; ++side) {
        const int next = (side + 1) % 4;
        if ((at[side] >= level) == (at[next] >= level)) continue;
        const double part = (level - at[side]) / (at[next] - at[side]);
        ends.push_back(x[side] + part * (x[next] - x[side]));
        ends.push_back(y[side] + part * (y[next] - y[side]));
      }
      // Of a saddle there are four ends: two lines.
      const size_t whole = ends.size() / 4 * 4;
      lines.insert(lines.end(), ends.begin(), ends.begin() + whole);
    }
  }
  return lines;
}

}  // namespace somafit
