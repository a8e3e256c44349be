#include "server/posterior/cholesky.h"

#include <cmath>

#include "worker/core/base/elementary.h"

namespace somafit {

std::optional<Eigen::MatrixXd> Cholesky(const Eigen::MatrixXd& matrix) {
  const Eigen::Index n = matrix.rows();
  Eigen::MatrixXd lower = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    double pivot = matrix(j, j);
    for (Eigen::Index k = 0; k < j; ++k) pivot -= lower(j, k) * lower(j, k);
    // Also false for NaN.
    if (!(pivot > 1e-14 * matrix(j, j) && std::isfinite(pivot))) {
      return std::nullopt;
    }
    lower(j, j) = std::sqrt(pivot);
    for (Eigen::Index i = j + 1; i < n; ++i) {
      double sum = matrix(i, j);
      for (Eigen::Index k = 0; k < j; ++k) sum -= lower(i, k) * lower(j, k);
      lower(i, j) = sum / lower(j, j);
    }
  }
  return lower;
}

Eigen::VectorXd SolveLower(const Eigen::MatrixXd& lower, Eigen::VectorXd b) {
  for (Eigen::Index i = 0; i < b.size(); ++i) {
    for (Eigen::Index k = 0; k < i; ++k) b[i] -= lower(i, k) * b[k];
    b[i] /= lower(i, i);
  }
  return b;
}

Eigen::VectorXd SolveLowerTransposed(const Eigen::MatrixXd& lower,
                                     Eigen::VectorXd b) {
  for (Eigen::Index i = b.size(); i-- > 0;) {
    for (Eigen::Index k = i + 1; k < b.size(); ++k) b[i] -= lower(k, i) * b[k];
    b[i] /= lower(i, i);
  }
  return b;
}

Eigen::MatrixXd InverseFromCholesky(const Eigen::MatrixXd& lower) {
  const Eigen::Index n = lower.rows();
  Eigen::MatrixXd inverse(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    inverse.col(j) = SolveLowerTransposed(
        lower, SolveLower(lower, Eigen::VectorXd::Unit(n, j)));
  }
  for (Eigen::Index j = 0; j < n; ++j) {
    for (Eigen::Index i = 0; i < j; ++i) inverse(i, j) = inverse(j, i);
  }
  return inverse;
}

double LogDeterminant(const Eigen::MatrixXd& lower) {
  double sum = 0;
  for (Eigen::Index i = 0; i < lower.rows(); ++i) sum += 2 * Log(lower(i, i));
  return sum;
}

}  // namespace somafit
