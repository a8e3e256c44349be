#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include <Eigen/Core>

namespace somafit {

// Rows of a sample without those that hold NaN or infinity; a message where
// there were any.
struct CleanRows {
  std::vector<double> theta;  // [n x D]
  int64_t n_dropped = 0;
  std::vector<std::string> messages;
};
CleanRows DropInvalidRows(std::span<const double> theta, size_t d);

struct MarginalStatistics {
  double mean = 0;
  double standard_deviation = 0;  // with n - 1
  // At kQuantiles, between order statistics by the rule of numpy's default
  // (R. Hyndman, Y. Fan (1996), definition 7).
  std::array<double, 5> quantiles{};
  double peak = 0;  // where the kernel density estimate (Scott) is largest
};
inline constexpr std::array<double, 5> kQuantiles = {0.025, 0.25, 0.5, 0.75,
                                                     0.975};

struct SampleStatistics {
  std::vector<MarginalStatistics> marginals;  // [D]
  // Of each pair; 1 on the diagonal, 0 with a parameter that does not vary.
  Eigen::MatrixXd correlation;
};

// InvalidArgument where there are fewer than 2 rows or one is not finite.
absl::StatusOr<SampleStatistics> StatisticsOf(std::span<const double> theta,
                                              size_t d);

// How much narrower the posterior is than the prior, 1 - var / prior var, of
// each parameter: 1 where all is known, 0 where nothing was learned.
std::vector<double> Shrinkage(const SampleStatistics& posterior,
                              std::span<const double> prior_sd);

// The quantile of ascending values by definition 7. REQUIRES: not empty.
double QuantileOfSorted(std::span<const double> sorted, double p);

}  // namespace somafit
