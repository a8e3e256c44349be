#pragma once

#include "server/posterior/posterior.h"

namespace somafit {

struct MapOptions {
  enum class Start { kPosterior, kPrior, kPoints } start = Start::kPosterior;
  std::vector<double> points = {};  // [n x D], for kPoints
  int64_t n_starts = 1000;          // draws to choose from
  int64_t n_best = 20;              // of them, those to climb from
  DrawKey key = {};
  DrawLimits limits = {};
};

struct MapEstimate {
  std::vector<double> theta;  // [D]
  double potential = 0;       // Posterior::Potential there
  bool converged = false;
  // Parameters whose best value is at a bound of the prior, within 1e-6 of its
  // standard deviation: the density still grows there.
  std::vector<bool> at_bound;
};

// The mode of the posterior in theta (not in the unconstrained parameters that
// the search uses): the best of `n_best` climbs by L-BFGS. Not below any start.
//
// InvalidArgument as Posterior::CheckObservation, or where no point is given,
// lies inside the prior, or has D numbers; FailedPrecondition where no draw
// has a finite density.
absl::StatusOr<MapEstimate> FindMap(const Posterior& posterior,
                                    std::span<const double> x,
                                    const MapOptions& options = {});

}  // namespace somafit
