#pragma once

#include <vector>

#include "Eigen/Core"

namespace somafit {

// sum_k w_k N(mean_k, precision_k^-1). Every precision is symmetric positive
// definite.
struct GaussianMixture {
  std::vector<double> log_weights;  // normalized: their exponentials add to 1
  std::vector<Eigen::VectorXd> means;
  std::vector<Eigen::MatrixXd> precisions;
};

}  // namespace somafit
