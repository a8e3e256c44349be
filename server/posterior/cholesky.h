#pragma once

#include <optional>

#include <Eigen/Core>

namespace somafit {

// Dense linear algebra of a few dimensions in plain loops: what draws depend on
// must have the same bits however a library cuts its sums.

// Lower triangular L with L L^T = `matrix`, of which the lower triangle is
// read; nullopt where that is not positive definite: a pivot below 1e-14 of
// its diagonal element, or not finite. Free of units: scaling a row and column
// by a power of two scales the answer.
std::optional<Eigen::MatrixXd> Cholesky(const Eigen::MatrixXd& matrix);

// x of L x = b, and of L^T x = b.
Eigen::VectorXd SolveLower(const Eigen::MatrixXd& lower, Eigen::VectorXd b);
Eigen::VectorXd SolveLowerTransposed(const Eigen::MatrixXd& lower,
                                     Eigen::VectorXd b);
// (L L^T)^-1, symmetric to the bit.
Eigen::MatrixXd InverseFromCholesky(const Eigen::MatrixXd& lower);
// log |L L^T|.
double LogDeterminant(const Eigen::MatrixXd& lower);

}  // namespace somafit
