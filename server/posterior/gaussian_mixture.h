#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include <Eigen/Core>

#include "server/posterior/draw_key.h"

namespace somafit {

struct NormalForm;

// sum_k w_k N(mean_k, precision_k^-1). Every precision is symmetric positive
// definite.
struct GaussianMixture {
  std::vector<double> log_weights;  // normalized: their exponentials add to 1
  std::vector<Eigen::VectorXd> means;
  std::vector<Eigen::MatrixXd> precisions;
};

// InvalidArgument where the three lists differ in length or are empty, shapes
// differ, weights do not add to 1 within 1e-9, or a precision is not symmetric
// (but for rounding) and positive definite.
absl::Status CheckMixture(const GaussianMixture& mixture);

// A mixture with its factors, for many evaluations. Immutable; thread-safe.
// Matrices are row-major; results of a row depend on that row alone.
class MixtureDensity {
 public:
  // REQUIRES: CheckMixture(mixture).ok()
  explicit MixtureDensity(GaussianMixture mixture);

  size_t size() const { return mixture_.means[0].size(); }  // D
  const GaussianMixture& mixture() const { return mixture_; }

  // Of each row of `theta` [n x D]; `gradient` [n x D], or empty.
  void LogDensity(std::span<const double> theta, std::span<double> log_density,
                  std::span<double> gradient = {}) const;
  // Draws `first`, first + 1, ... into `theta` [n x D]: draw k is a function
  // of the key and k alone, the same bits everywhere.
  // REQUIRES: first + n <= 2^32.
  void Sample(DrawKey key, int64_t first, std::span<double> theta) const;

 private:
  GaussianMixture mixture_;
  std::vector<Eigen::MatrixXd> lower_;  // L L^T = precision
  std::vector<double> log_scale_;       // log weight + log normalizing constant
};

Eigen::VectorXd MeanOf(const GaussianMixture& mixture);
Eigen::MatrixXd CovarianceOf(const GaussianMixture& mixture);

// The density of the dimensions `kept`, in that order, whatever the others
// are. With P the precision, r the others: P_kk - P_kr P_rr^-1 P_rk.
// REQUIRES: kept are different and exist, at least one.
GaussianMixture MarginalOf(const GaussianMixture& mixture,
                           std::span<const int> kept);

// The density of the dimensions that are not `fixed`, in ascending order, where
// the fixed ones have these `values`: precision P_ff, mean
// m_f - P_ff^-1 P_fc (value - m_c), weights by the marginal of `fixed`.
// REQUIRES: fixed are different and exist, at least one dimension is left.
GaussianMixture ConditionedOn(const GaussianMixture& mixture,
                              std::span<const int> fixed,
                              std::span<const double> values);

// NPE-A: the posterior of an `estimate` that was trained on draws from
// `proposal` instead of the prior, estimate * prior / proposal, both mixtures
// at their observations (G. Papamakarios, I. Murray (2016), "Fast epsilon-free
// inference of simulation models with Bayesian conditional density
// estimation", NIPS 29, eq. 5 and appendix C). Component (k, l) has
//
//   P = P_k - P_l + P_0,  m = P^-1 (P_k m_k - P_l m_l + P_0 m_0)
//   log w = log w_k - log w_l + 1/2 log(|P_k| / (|P_l| |P|))
//           - 1/2 (m_k^T P_k m_k - m_l^T P_l m_l - m^T P m)
//
// It is exact for a proposal of one component. The inverse of a mixture of
// several is no mixture; the result is then an approximation that counts each
// component of the proposal as if it were alone.
//
// FailedPrecondition where a P is not positive definite: the estimate is wider
// than the proposal in some direction. REQUIRES: same dimensions.
absl::StatusOr<GaussianMixture> DivideByProposal(
    const GaussianMixture& estimate, const GaussianMixture& proposal,
    const NormalForm& prior);

}  // namespace somafit
