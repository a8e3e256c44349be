#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

#include "server/posterior/draw_key.h"
#include "server/posterior/draws.h"
#include "server/posterior/rejection.h"

namespace somafit {

struct ResamplingOptions {
  int64_t n = 0;
  DrawKey key = {};
  DrawLimits limits = {};
  int64_t oversampling = 32;  // candidates that a draw is picked from
};

struct ResampledDraws {
  Draws draws;  // log_density holds log_ratio; acceptance: draws of candidates
  // Of all candidates, (sum w)^2 / sum w^2 of their weights.
  double effective_samples = 0;
  double pareto_shape = 0;  // ParetoShape of the weights
};

// Sampling-importance-resampling (D. Rubin (1988), "Using the SIR algorithm to
// simulate posterior distributions", Bayesian Statistics 3): draw i is picked
// from `oversampling` candidates of its own by their weights target / proposal;
// candidates that have none are passed over together. It needs no bound on
// weights, but draws follow the target only as far as each group holds several
// candidates that count; messages say how many did. Draws depend on key and
// source, not on batches. FailedPrecondition where a ratio is NaN or +inf.
// REQUIRES: oversampling > 0.
absl::StatusOr<ResampledDraws> Resample(const CandidateSource& source, size_t d,
                                        const ResamplingOptions& options);

// The shape k of the generalized Pareto distribution that the largest
// min(n/5, 3 sqrt(n)) weights follow, from their logarithms: below 0.5
// averages under the weights converge well, above 0.7 they hardly do. NaN of
// fewer than 25 weights above 0.
//
// A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry (2024), "Pareto smoothed
// importance sampling", JMLR 25; the fit is that of J. Zhang, M. Stephens
// (2009), Technometrics 51, with the former's prior on k.
double ParetoShape(std::span<const double> log_weights);

}  // namespace somafit
