#include "server/posterior/pairplot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <Eigen/Core>

#include "server/posterior/sample_statistics.h"
#include "worker/core/base/check.h"

namespace somafit {
namespace {

constexpr double kMargin = 0.1;
constexpr double kMostBins = 1000;
// exp(-kReach^2 / 2) is lost in rounding.
constexpr double kReach = 8.5;

double FactorOf(const Bandwidth& bandwidth, double n, double d) {
  switch (bandwidth.rule) {
    case Bandwidth::Rule::kScott:
      return std::pow(n, -1 / (d + 4));
    case Bandwidth::Rule::kSilverman:
      return std::pow(n * (d + 2) / 4, -1 / (d + 4));
    case Bandwidth::Rule::kFactor:
      break;
  }
  SOMAFIT_CHECK(bandwidth.factor > 0);
  return bandwidth.factor;
}

// The grid points within `reach` of x: [first, last).
struct Window {
  size_t first, last;
};
Window WindowAround(double x, double reach, double low, double step, size_t n) {
  const double from = std::ceil((x - reach - low) / step);
  const double to = std::floor((x + reach - low) / step) + 1;
  const auto limit = static_cast<double>(n);
  return {static_cast<size_t>(std::clamp(from, 0.0, limit)),
          static_cast<size_t>(std::clamp(to, 0.0, limit))};
}

double StepOf(const Range& range, size_t n) {
  return (range.high - range.low) / static_cast<double>(n - 1);
}

}  // namespace

std::vector<Range> PlotLimits(
    std::span<const std::span<const double>> samples_and_points, size_t d) {
  std::vector<Range> limits(d, {std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity()});
  for (const std::span<const double> set : samples_and_points) {
    SOMAFIT_CHECK(set.size() % d == 0);
    for (size_t i = 0; i < set.size(); ++i) {
      Range& range = limits[i % d];
      range.low = std::min(range.low, set[i]);
      range.high = std::max(range.high, set[i]);
    }
  }
  for (Range& range : limits) {
    if (range.low > range.high) range = {0, 0};  // nothing to show
    double margin = kMargin * (range.high - range.low);
    if (range.low == range.high) {
      margin = range.low == 0 ? 1 : kMargin * std::fabs(range.low);
    }
    range = {range.low - margin, range.high + margin};
  }
  return limits;
}

Histogram HistogramOf(std::span<const double> values, const Range& limits) {
  SOMAFIT_CHECK(limits.low < limits.high);
  const double width = limits.high - limits.low;
  Histogram histogram{limits.low, width, {0}};
  if (values.empty()) return histogram;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double iqr =
      QuantileOfSorted(sorted, 0.75) - QuantileOfSorted(sorted, 0.25);
  if (iqr > 0) {
    const double wanted =
        2 * iqr * std::pow(static_cast<double>(values.size()), -1.0 / 3);
    const double bins = std::clamp(std::ceil(width / wanted), 1.0, kMostBins);
    histogram.width = std::max(wanted, width / kMostBins);
    histogram.counts.assign(static_cast<size_t>(bins), 0);
  }
  const auto last = static_cast<double>(histogram.counts.size() - 1);
  for (const double value : values) {
    if (value < limits.low || value > limits.high) continue;
    const double bin =
        std::min(std::floor((value - limits.low) / histogram.width), last);
    ++histogram.counts[static_cast<size_t>(bin)];
  }
  return histogram;
}

std::vector<double> KernelDensity(std::span<const double> values,
                                  const Range& limits,
                                  const Bandwidth& bandwidth, size_t n_grid) {
  SOMAFIT_CHECK(n_grid >= 2 && limits.low < limits.high);
  std::vector<double> density(n_grid, 0.0);
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) return density;
  const Eigen::Map<const Eigen::VectorXd> column(values.data(),
                                                 Eigen::Index(values.size()));
  if (!(column.maxCoeff() > column.minCoeff())) return density;
  const double sd =
      (column.array() - column.mean()).matrix().norm() / std::sqrt(n - 1);
  const double h = FactorOf(bandwidth, n, 1) * sd;
  const double step = StepOf(limits, n_grid);
  for (const double value : values) {
    const Window window =
        WindowAround(value, kReach * h, limits.low, step, n_grid);
    for (size_t k = window.first; k < window.last; ++k) {
      const double z = (limits.low + static_cast<double>(k) * step - value) / h;
      density[k] += std::exp(-0.5 * z * z);
    }
  }
  for (double& one : density) one /= n * h * std::sqrt(2 * M_PI);
  return density;
}

PlotGrid HistogramOfPair(std::span<const double> theta, size_t d,
                         size_t horizontal, size_t vertical,
                         std::span<const Range> limits, size_t n) {
  SOMAFIT_CHECK(theta.size() % d == 0 && limits.size() == d && n > 0);
  PlotGrid grid{n, limits[horizontal], limits[vertical],
                std::vector<double>(n * n)};
  const auto cell = [n](double value,
                        const Range& range) -> std::optional<size_t> {
    const double at =
        (value - range.low) / (range.high - range.low) * static_cast<double>(n);
    if (!(at >= 0 && at <= static_cast<double>(n))) return std::nullopt;
    return std::min(static_cast<size_t>(at), n - 1);
  };
  for (size_t i = 0; i < theta.size(); i += d) {
    const auto column = cell(theta[i + horizontal], grid.horizontal);
    const auto row = cell(theta[i + vertical], grid.vertical);
    if (column && row) ++grid.values[*row * n + *column];
  }
  return grid;
}

std::optional<PlotGrid> KernelDensityOfPair(
    std::span<const double> theta, size_t d, size_t horizontal, size_t vertical,
    std::span<const Range> limits, const Bandwidth& bandwidth, size_t n) {
  SOMAFIT_CHECK(theta.size() % d == 0 && limits.size() == d && n >= 2);
  const size_t rows = theta.size() / d;
  std::vector<double> pair;
  for (size_t i = 0; i < theta.size(); i += d) {
    pair.push_back(theta[i + horizontal]);
    pair.push_back(theta[i + vertical]);
  }
  const auto statistics = StatisticsOf(pair, 2);
  if (!statistics.ok()) return std::nullopt;
  const double correlation = statistics->correlation(0, 1);
  const double rest = 1 - correlation * correlation;
  const double sd_h = statistics->marginals[0].standard_deviation;
  const double sd_v = statistics->marginals[1].standard_deviation;
  if (!(sd_h > 0 && sd_v > 0 && rest > 1e-12)) return std::nullopt;
  const double factor = FactorOf(bandwidth, static_cast<double>(rows), 2);
  const double h = factor * sd_h, v = factor * sd_v;

  PlotGrid grid{n, limits[horizontal], limits[vertical],
                std::vector<double>(n * n, 0.0)};
  const double step_h = StepOf(grid.horizontal, n);
  const double step_v = StepOf(grid.vertical, n);
  for (size_t i = 0; i < pair.size(); i += 2) {
    const Window columns =
        WindowAround(pair[i], kReach * h, grid.horizontal.low, step_h, n);
    const Window lines =
        WindowAround(pair[i + 1], kReach * v, grid.vertical.low, step_v, n);
    for (size_t row = lines.first; row < lines.last; ++row) {
      const double b = (grid.vertical.low + static_cast<double>(row) * step_v -
                        pair[i + 1]) /
                       v;
      for (size_t column = columns.first; column < columns.last; ++column) {
        const double a = (grid.horizontal.low +
                          static_cast<double>(column) * step_h - pair[i]) /
                         h;
        const double square = (a * a - 2 * correlation * a * b + b * b) / rest;
        if (square < kReach * kReach) {
          grid.values[row * n + column] += std::exp(-0.5 * square);
        }
      }
    }
  }
  const double scale =
      1 / (static_cast<double>(rows) * 2 * M_PI * h * v * std::sqrt(rest));
  for (double& one : grid.values) one *= scale;
  return grid;
}

std::vector<double> ContourLevels(const PlotGrid& grid,
                                  std::span<const double> levels) {
  std::vector<size_t> order(grid.values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return grid.values[a] > grid.values[b];
  });
  const double total =
      std::accumulate(grid.values.begin(), grid.values.end(), 0.0);
  std::vector<double> result(grid.values.size(), 1.0);
  if (!(total > 0)) return result;
  double mass = 0;  // of denser cells, as a share
  for (const size_t cell : order) {
    if (grid.values[cell] > 0) {
      const auto level = std::upper_bound(levels.begin(), levels.end(), mass);
      if (level != levels.end()) result[cell] = *level;
    }
    mass += grid.values[cell] / total;
  }
  return result;
}

}  // namespace somafit
