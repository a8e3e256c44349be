#include "server/posterior/conditional.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostRows = 1'000'000;

std::vector<double> Points(const Range& range, size_t n, double margin) {
  SOMAFIT_CHECK(n >= 2);
  const double off = margin * (range.high - range.low);
  std::vector<double> points(n);
  for (size_t k = 0; k < n; ++k) {
    points[k] = range.low + off +
                (range.high - range.low - 2 * off) * static_cast<double>(k) /
                    static_cast<double>(n - 1);
  }
  return points;
}

// Appends the rows of the grid over (i, j), vertical axis j.
void AppendGrid(std::span<const double> condition,
                const std::vector<double>& along_i,
                const std::vector<double>& along_j, size_t i, size_t j,
                std::vector<double>& theta) {
  for (const double b : along_j) {
    for (const double a : along_i) {
      const size_t row = theta.size();
      theta.insert(theta.end(), condition.begin(), condition.end());
      theta[row + j] = b;
      theta[row + i] = a;
    }
  }
}

// exp(x - max x) in place.
absl::Status ToRelative(std::span<double> log_density, size_t i, size_t j) {
  double largest = -std::numeric_limits<double>::infinity();
  bool broken = false;
  for (const double one : log_density) {
    broken = broken || std::isnan(one);
    largest = std::max(largest, one);
  }
  if (broken || !std::isfinite(largest)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the density over parameters ", i, " and ", j,
        " with the others fixed is ", broken ? "nan" : "0 or infinite",
        " on the whole grid: condition on a point inside the posterior, and "
        "choose limits around it"));
  }
  for (double& one : log_density) one = std::exp(one - largest);
  return absl::OkStatus();
}

double GridCorrelation(std::span<const double> p,
                       const std::vector<double>& along_i,
                       const std::vector<double>& along_j) {
  double total = 0, mean_i = 0, mean_j = 0;
  const size_t n = along_i.size();
  for (size_t b = 0; b < n; ++b) {
    for (size_t a = 0; a < n; ++a) {
      total += p[b * n + a];
      mean_i += p[b * n + a] * along_i[a];
      mean_j += p[b * n + a] * along_j[b];
    }
  }
  mean_i /= total, mean_j /= total;
  double var_i = 0, var_j = 0, product = 0;
  for (size_t b = 0; b < n; ++b) {
    for (size_t a = 0; a < n; ++a) {
      // Relative to the range, so that no square underflows.
      const double x = (along_i[a] - mean_i) / (along_i[n - 1] - along_i[0]);
      const double y = (along_j[b] - mean_j) / (along_j[n - 1] - along_j[0]);
      var_i += p[b * n + a] * x * x;
      var_j += p[b * n + a] * y * y;
      product += p[b * n + a] * x * y;
    }
  }
  // All mass in one row or column of the grid.
  if (!(var_i > 0 && var_j > 0)) return 0;
  return product / std::sqrt(var_i * var_j);
}

}  // namespace

absl::StatusOr<std::vector<double>> ConditionalDensity(
    const LogDensityFunction& density, std::span<const double> condition,
    std::span<const Range> limits, size_t i, size_t j,
    const ConditionalOptions& options) {
  const size_t d = condition.size();
  SOMAFIT_CHECK(limits.size() == d && i < d && j < d);
  const std::vector<double> along_i =
      Points(limits[i], options.resolution, options.margin);
  std::vector<double> theta;
  AppendGrid(condition, along_i,
             i == j ? std::vector<double>{0}
                    : Points(limits[j], options.resolution, options.margin),
             i, j, theta);
  SOMAFIT_ASSIGN_OR_RETURN(std::vector<double> values, density(theta));
  if (!options.logarithm) {
    SOMAFIT_RETURN_IF_ERROR(ToRelative(values, i, j));
  }
  return values;
}

absl::StatusOr<Eigen::MatrixXd> ConditionalCorrelation(
    const LogDensityFunction& density, std::span<const double> conditions,
    std::span<const Range> limits, std::span<const int> subset,
    size_t resolution) {
  const size_t d = limits.size();
  SOMAFIT_CHECK(d > 0 && !conditions.empty() && conditions.size() % d == 0);
  const size_t m = conditions.size() / d;
  std::vector<int> dims(subset.begin(), subset.end());
  if (dims.empty()) {
    dims.resize(d);
    std::iota(dims.begin(), dims.end(), 0);
  }
  std::vector<std::vector<double>> along;
  for (const int dim : dims) {
    SOMAFIT_CHECK(dim >= 0 && static_cast<size_t>(dim) < d);
    along.push_back(Points(limits[dim], resolution, 0));
  }
  struct Pair {
    size_t condition, a, b;
  };
  std::vector<Pair> pairs;
  for (size_t c = 0; c < m; ++c) {
    for (size_t a = 0; a < dims.size(); ++a) {
      for (size_t b = a + 1; b < dims.size(); ++b) pairs.push_back({c, a, b});
    }
  }
  Eigen::MatrixXd correlation =
      Eigen::MatrixXd::Identity(dims.size(), dims.size());
  const size_t cells = resolution * resolution;
  const size_t together = std::max<size_t>(1, kMostRows / cells);
  for (size_t first = 0; first < pairs.size(); first += together) {
    const auto some = std::span(pairs).subspan(
        first, std::min(together, pairs.size() - first));
    std::vector<double> theta;
    theta.reserve(some.size() * cells * d);
    for (const Pair& pair : some) {
      AppendGrid(conditions.subspan(pair.condition * d, d), along[pair.a],
                 along[pair.b], dims[pair.a], dims[pair.b], theta);
    }
    SOMAFIT_ASSIGN_OR_RETURN(std::vector<double> values, density(theta));
    for (size_t k = 0; k < some.size(); ++k) {
      const auto [condition, a, b] = some[k];
      const auto grid = std::span(values).subspan(k * cells, cells);
      SOMAFIT_RETURN_IF_ERROR(ToRelative(grid, dims[a], dims[b]));
      correlation(a, b) +=
          GridCorrelation(grid, along[a], along[b]) / static_cast<double>(m);
      correlation(b, a) = correlation(a, b);
    }
  }
  return correlation;
}

}  // namespace somafit
