#include "server/posterior/gaussian_mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/cholesky.h"
#include "server/posterior/log_sum.h"
#include "server/posterior/normal.h"
#include "server/posterior/prior.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr double kLogTwoPi = 1.8378770664093454836;

Eigen::MatrixXd Block(const Eigen::MatrixXd& matrix,
                      const std::vector<int>& rows,
                      const std::vector<int>& columns) {
  Eigen::MatrixXd block(rows.size(), columns.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < columns.size(); ++j) {
      block(i, j) = matrix(rows[i], columns[j]);
    }
  }
  return block;
}

Eigen::VectorXd Part(const Eigen::VectorXd& vector,
                     const std::vector<int>& rows) {
  Eigen::VectorXd part(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) part[i] = vector[rows[i]];
  return part;
}

// The dimensions that are not in `some`, ascending.
std::vector<int> OthersOf(size_t size, std::span<const int> some) {
  std::vector<bool> in(size, false);
  for (const int i : some) {
    SOMAFIT_CHECK(i >= 0 && static_cast<size_t>(i) < size && !in[i]);
    in[i] = true;
  }
  std::vector<int> others;
  for (size_t i = 0; i < size; ++i) {
    if (!in[i]) others.push_back(static_cast<int>(i));
  }
  return others;
}

Eigen::MatrixXd CholeskyOf(const Eigen::MatrixXd& precision) {
  std::optional<Eigen::MatrixXd> lower = Cholesky(precision);
  SOMAFIT_CHECK(lower.has_value());
  return *std::move(lower);
}

// But for rounding.
bool IsSymmetric(const Eigen::MatrixXd& matrix) {
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      const double scale = std::sqrt(matrix(i, i)) * std::sqrt(matrix(j, j));
      if (!(std::fabs(matrix(i, j) - matrix(j, i)) <= 1e-9 * scale)) {
        return false;
      }
    }
  }
  return true;
}

// L^-1 B, column by column.
Eigen::MatrixXd SolveLowerColumns(const Eigen::MatrixXd& lower,
                                  Eigen::MatrixXd b) {
  for (Eigen::Index j = 0; j < b.cols(); ++j) {
    b.col(j) = SolveLower(lower, b.col(j));
  }
  return b;
}

}  // namespace

absl::Status CheckMixture(const GaussianMixture& mixture) {
  const size_t n = mixture.means.size();
  if (n == 0 || mixture.log_weights.size() != n ||
      mixture.precisions.size() != n) {
    return absl::InvalidArgumentError(
        absl::StrCat("a mixture has ", mixture.log_weights.size(), " weights, ",
                     n, " means and ", mixture.precisions.size(),
                     " precisions: it needs as many of each, at least one"));
  }
  double total = 0;
  for (size_t k = 0; k < n; ++k) {
    total += Exp(mixture.log_weights[k]);
    const Eigen::MatrixXd& precision = mixture.precisions[k];
    const Eigen::Index size = mixture.means[0].size();
    if (size == 0 || mixture.means[k].size() != size ||
        precision.rows() != size || precision.cols() != size) {
      return absl::InvalidArgumentError(
          absl::StrCat("component ", k, " of a mixture has a mean of ",
                       mixture.means[k].size(), " numbers and a precision of ",
                       precision.rows(), " by ", precision.cols(),
                       ": all components must have the same dimensions"));
    }
    if (!mixture.means[k].allFinite() || !IsSymmetric(precision) ||
        !Cholesky(precision)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "component ", k,
          " of a mixture has a mean that is not finite or a precision that is "
          "not symmetric and positive definite"));
    }
  }
  if (!(std::fabs(total - 1) < 1e-9)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the weights of a mixture add to ", ShortestText(total),
                     ": they must add to 1"));
  }
  return absl::OkStatus();
}

MixtureDensity::MixtureDensity(GaussianMixture mixture)
    : mixture_(std::move(mixture)) {
  for (size_t k = 0; k < mixture_.means.size(); ++k) {
    lower_.push_back(CholeskyOf(mixture_.precisions[k]));
    log_scale_.push_back(mixture_.log_weights[k] +
                         0.5 * LogDeterminant(lower_[k]) -
                         0.5 * static_cast<double>(size()) * kLogTwoPi);
  }
}

void MixtureDensity::LogDensity(std::span<const double> theta,
                                std::span<double> log_density,
                                std::span<double> gradient) const {
  const size_t d = size(), n = log_density.size(), n_parts = lower_.size();
  SOMAFIT_CHECK(theta.size() == n * d);
  SOMAFIT_CHECK(gradient.empty() || gradient.size() == n * d);
  std::vector<double> parts(n_parts), whitened(n_parts * d), off(d);
  for (size_t row = 0; row < n; ++row) {
    const double* x = theta.data() + row * d;
    for (size_t k = 0; k < n_parts; ++k) {
      // (x - m)^T P (x - m) = |L^T (x - m)|^2
      const Eigen::MatrixXd& lower = lower_[k];
      for (size_t i = 0; i < d; ++i) off[i] = x[i] - mixture_.means[k][i];
      double square = 0;
      for (size_t i = 0; i < d; ++i) {
        double sum = 0;
        for (size_t j = i; j < d; ++j) sum += lower(j, i) * off[j];
        whitened[k * d + i] = sum;
        square += sum * sum;
      }
      parts[k] = log_scale_[k] - 0.5 * square;
    }
    const double total = log_density[row] = LogSumExp(parts);
    if (gradient.empty()) continue;
    double* g = gradient.data() + row * d;
    std::fill(g, g + d, 0.0);
    for (size_t k = 0; k < n_parts; ++k) {
      // Far from every component all parts underflow together.
      const double share = n_parts == 1 ? 1 : Exp(parts[k] - total);
      if (!(share > 0)) continue;
      for (size_t i = 0; i < d; ++i) {
        double sum = 0;
        for (size_t j = 0; j <= i; ++j) {
          sum += lower_[k](i, j) * whitened[k * d + j];
        }
        g[i] -= share * sum;
      }
    }
  }
}

void MixtureDensity::Sample(DrawKey key, int64_t first,
                            std::span<double> theta) const {
  const size_t d = size();
  SOMAFIT_CHECK(theta.size() % d == 0);
  const auto n = static_cast<int64_t>(theta.size() / d);
  SOMAFIT_CHECK(first >= 0 && first + n <= int64_t{1} << 32);
  for (int64_t row = 0; row < n; ++row) {
    RandomStream random(key.seed, StreamPurpose::kMixture, key.purpose,
                        static_cast<uint32_t>(first + row));
    const size_t k = DrawIndex(mixture_.log_weights, OpenUniform(random));
    Eigen::VectorXd z(d);
    for (double& one : z) one = StandardNormal(random);
    z = SolveLowerTransposed(lower_[k], z);
    for (size_t i = 0; i < d; ++i) {
      theta[row * d + i] = mixture_.means[k][i] + z[i];
    }
  }
}

Eigen::VectorXd MeanOf(const GaussianMixture& mixture) {
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(mixture.means[0].size());
  for (size_t k = 0; k < mixture.means.size(); ++k) {
    mean += Exp(mixture.log_weights[k]) * mixture.means[k];
  }
  return mean;
}

Eigen::MatrixXd CovarianceOf(const GaussianMixture& mixture) {
  const Eigen::VectorXd mean = MeanOf(mixture);
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(mean.size(), mean.size());
  for (size_t k = 0; k < mixture.means.size(); ++k) {
    const Eigen::VectorXd off = mixture.means[k] - mean;
    covariance += Exp(mixture.log_weights[k]) *
                  (InverseFromCholesky(CholeskyOf(mixture.precisions[k])) +
                   off * off.transpose());
  }
  return covariance;
}

GaussianMixture MarginalOf(const GaussianMixture& mixture,
                           std::span<const int> kept) {
  const std::vector<int> keep(kept.begin(), kept.end());
  const std::vector<int> rest = OthersOf(mixture.means[0].size(), kept);
  SOMAFIT_CHECK(!keep.empty());
  GaussianMixture marginal{mixture.log_weights, {}, {}};
  for (size_t k = 0; k < mixture.means.size(); ++k) {
    const Eigen::MatrixXd& p = mixture.precisions[k];
    Eigen::MatrixXd precision = Block(p, keep, keep);
    if (!rest.empty()) {
      const Eigen::MatrixXd half = SolveLowerColumns(
          CholeskyOf(Block(p, rest, rest)), Block(p, rest, keep));
      precision -= half.transpose() * half;
      precision = (0.5 * (precision + precision.transpose())).eval();
    }
    marginal.means.push_back(Part(mixture.means[k], keep));
    marginal.precisions.push_back(std::move(precision));
  }
  return marginal;
}

GaussianMixture ConditionedOn(const GaussianMixture& mixture,
                              std::span<const int> fixed,
                              std::span<const double> values) {
  SOMAFIT_CHECK(fixed.size() == values.size());
  if (fixed.empty()) return mixture;
  const std::vector<int> given(fixed.begin(), fixed.end());
  const std::vector<int> free = OthersOf(mixture.means[0].size(), fixed);
  SOMAFIT_CHECK(!free.empty());
  const Eigen::Map<const Eigen::VectorXd> value(
      values.data(), static_cast<Eigen::Index>(values.size()));
  const GaussianMixture marginal = MarginalOf(mixture, fixed);
  GaussianMixture conditioned;
  for (size_t k = 0; k < mixture.means.size(); ++k) {
    const Eigen::MatrixXd& p = mixture.precisions[k];
    const Eigen::MatrixXd precision = Block(p, free, free);
    const Eigen::MatrixXd lower = CholeskyOf(precision);
    const Eigen::VectorXd off = value - marginal.means[k];
    const Eigen::VectorXd pull = Block(p, free, given) * off;
    conditioned.means.push_back(
        Part(mixture.means[k], free) -
        SolveLowerTransposed(lower, SolveLower(lower, pull)));
    conditioned.precisions.push_back(precision);
    conditioned.log_weights.push_back(
        mixture.log_weights[k] +
        0.5 * LogDeterminant(CholeskyOf(marginal.precisions[k])) -
        0.5 * off.dot(marginal.precisions[k] * off));
  }
  NormalizeLog(conditioned.log_weights);
  return conditioned;
}

absl::StatusOr<GaussianMixture> DivideByProposal(
    const GaussianMixture& estimate, const GaussianMixture& proposal,
    const NormalForm& prior) {
  const Eigen::Index size = estimate.means[0].size();
  SOMAFIT_CHECK(proposal.means[0].size() == size);
  SOMAFIT_CHECK(prior.mean.size() == size);
  // In units in which the proposal has variance 1 around its mean: parameters
  // differ by many powers of ten, and differences of squares lose digits far
  // from the origin.
  const Eigen::VectorXd origin = MeanOf(proposal);
  const Eigen::VectorXd scale = CovarianceOf(proposal).diagonal().cwiseSqrt();
  const auto mean_in = [&](const Eigen::VectorXd& mean) -> Eigen::VectorXd {
    return (mean - origin).cwiseQuotient(scale);
  };
  const auto precision_in =
      [&](const Eigen::MatrixXd& precision) -> Eigen::MatrixXd {
    return scale.asDiagonal() * precision * scale.asDiagonal();
  };
  const Eigen::MatrixXd prior_precision = precision_in(prior.precision);
  const Eigen::VectorXd prior_mean = mean_in(prior.mean);
  GaussianMixture posterior;
  for (size_t k = 0; k < estimate.means.size(); ++k) {
    const Eigen::MatrixXd p_k = precision_in(estimate.precisions[k]);
    const Eigen::VectorXd m_k = mean_in(estimate.means[k]);
    for (size_t l = 0; l < proposal.means.size(); ++l) {
      const Eigen::MatrixXd p_l = precision_in(proposal.precisions[l]);
      const Eigen::VectorXd m_l = mean_in(proposal.means[l]);
      Eigen::MatrixXd p = p_k - p_l + prior_precision;
      p = (0.5 * (p + p.transpose())).eval();
      const std::optional<Eigen::MatrixXd> lower = Cholesky(p);
      // What is left of a difference of equal precisions is rounding.
      if (!lower || lower->diagonal().minCoeff() <
                        1e-6 * std::sqrt(p_k.diagonal().maxCoeff())) {
        return absl::FailedPreconditionError(absl::StrCat(
            "component ", k, " of the estimate is wider than component ", l,
            " of the proposal that its simulations were drawn from, so that "
            "dividing by the proposal leaves no density: simulate more in this "
            "round, use fewer components, or a method that needs no division "
            "(truncated proposals, npe_b, npe_c)"));
      }
      const Eigen::VectorXd b =
          p_k * m_k - p_l * m_l + prior_precision * prior_mean;
      const Eigen::VectorXd half = SolveLower(*lower, b);
      const Eigen::VectorXd m = SolveLowerTransposed(*lower, half);
      posterior.log_weights.push_back(
          estimate.log_weights[k] - proposal.log_weights[l] +
          0.5 * (LogDeterminant(CholeskyOf(p_k)) -
                 LogDeterminant(CholeskyOf(p_l)) - LogDeterminant(*lower)) -
          0.5 * (m_k.dot(p_k * m_k) - m_l.dot(p_l * m_l) - half.squaredNorm()));
      posterior.means.push_back(origin + scale.cwiseProduct(m));
      Eigen::MatrixXd precision = scale.cwiseInverse().asDiagonal() * p *
                                  scale.cwiseInverse().asDiagonal();
      posterior.precisions.push_back(0.5 * (precision + precision.transpose()));
    }
  }
  NormalizeLog(posterior.log_weights);
  return posterior;
}

}  // namespace somafit
