#include "server/posterior/sample_statistics.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "server/posterior/pairplot.h"
#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

bool IsFinite(std::span<const double> row) {
  return std::all_of(row.begin(), row.end(),
                     [](double v) { return std::isfinite(v); });
}

// Candidates for the peak: as fine as its own error.
constexpr size_t kPeakGrid = 200;

double PeakOf(std::span<const double> values, double low, double high) {
  if (!(low < high)) return low;
  const std::vector<double> density =
      KernelDensity(values, {low, high}, {}, kPeakGrid);
  const auto best = std::max_element(density.begin(), density.end());
  return low + (high - low) * static_cast<double>(best - density.begin()) /
                   (kPeakGrid - 1);
}

}  // namespace

CleanRows DropInvalidRows(std::span<const double> theta, size_t d) {
  SOMAFIT_CHECK(d > 0 && theta.size() % d == 0);
  CleanRows clean;
  for (size_t i = 0; i < theta.size(); i += d) {
    const auto row = theta.subspan(i, d);
    if (IsFinite(row)) {
      clean.theta.insert(clean.theta.end(), row.begin(), row.end());
    } else {
      ++clean.n_dropped;
    }
  }
  if (clean.n_dropped > 0) {
    clean.messages.push_back(absl::StrCat(clean.n_dropped, " of ",
                                          theta.size() / d,
                                          " rows hold nan or infinity and are "
                                          "left out"));
  }
  return clean;
}

double QuantileOfSorted(std::span<const double> sorted, double p) {
  SOMAFIT_CHECK(!sorted.empty() && p >= 0 && p <= 1);
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] +
         (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

absl::StatusOr<SampleStatistics> StatisticsOf(std::span<const double> theta,
                                              size_t d) {
  SOMAFIT_CHECK(d > 0 && theta.size() % d == 0);
  const size_t n = theta.size() / d;
  if (n < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("statistics need two rows, not ", n));
  }
  if (!IsFinite(theta)) {
    return absl::InvalidArgumentError(
        "a sample holds nan or infinity: leave such rows out");
  }
  SampleStatistics statistics;
  // Standardized columns: numbers of any size, none of whose squares underflow.
  Eigen::MatrixXd columns(n, d);
  for (size_t k = 0; k < d; ++k) {
    std::vector<double> sorted(n);
    for (size_t i = 0; i < n; ++i) sorted[i] = theta[i * d + k];
    const Eigen::Map<const Eigen::VectorXd> raw(sorted.data(), n);
    MarginalStatistics one;
    one.mean = raw.mean();
    Eigen::VectorXd off = raw.array() - one.mean;
    const double size = off.cwiseAbs().maxCoeff();
    // What the mean's rounding alone leaves is no variation.
    const bool varies = raw.maxCoeff() > raw.minCoeff();
    if (varies) {
      off /= size;
      const double norm = off.norm();
      one.standard_deviation = size * norm / std::sqrt(double(n - 1));
      off /= norm;
    } else {
      one.mean = raw[0];
      off.setZero();
    }
    columns.col(k) = off;
    std::sort(sorted.begin(), sorted.end());
    for (size_t q = 0; q < kQuantiles.size(); ++q) {
      one.quantiles[q] = QuantileOfSorted(sorted, kQuantiles[q]);
    }
    one.peak = PeakOf(sorted, sorted.front(), sorted.back());
    statistics.marginals.push_back(one);
  }
  statistics.correlation = columns.transpose() * columns;
  statistics.correlation.diagonal().setOnes();
  return statistics;
}

std::vector<double> Shrinkage(const SampleStatistics& posterior,
                              std::span<const double> prior_sd) {
  SOMAFIT_CHECK(posterior.marginals.size() == prior_sd.size());
  std::vector<double> shrinkage;
  for (size_t k = 0; k < prior_sd.size(); ++k) {
    const double ratio =
        posterior.marginals[k].standard_deviation / prior_sd[k];
    shrinkage.push_back(1 - ratio * ratio);
  }
  return shrinkage;
}

}  // namespace somafit
