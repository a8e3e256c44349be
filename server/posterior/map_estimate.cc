#include "server/posterior/map_estimate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "server/posterior/ascent.h"
#include "server/posterior/unconstrained.h"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Points to choose from, inside the prior, [n x D].
absl::StatusOr<std::vector<double>> Starts(const Posterior& posterior,
                                           std::span<const double> x,
                                           const MapOptions& options) {
  const size_t d = posterior.n_parameters();
  switch (options.start) {
    case MapOptions::Start::kPrior: {
      std::vector<double> theta(options.n_starts * d);
      SamplePrior(posterior.prior(), options.key, 0, theta);
      return theta;
    }
    case MapOptions::Start::kPoints: {
      if (options.points.empty() || options.points.size() % d != 0) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the points to start from are ", options.points.size(),
            " numbers: give one or more points of ", d, " parameters"));
      }
      std::vector<double> inside;
      for (size_t i = 0; i < options.points.size(); i += d) {
        const auto point = std::span(options.points).subspan(i, d);
        if (!posterior.prior().Contains(point)) continue;
        inside.insert(inside.end(), point.begin(), point.end());
      }
      if (inside.empty()) {
        return absl::InvalidArgumentError(
            "no point to start from lies where the prior allows: give another, "
            "or start from draws");
      }
      return inside;
    }
    case MapOptions::Start::kPosterior:
      break;
  }
  SOMAFIT_ASSIGN_OR_RETURN(Draws draws,
                           posterior.Sample(x, {.n = options.n_starts,
                                                .key = options.key,
                                                .limits = options.limits}));
  return std::move(draws.theta);
}

}  // namespace

absl::StatusOr<MapEstimate> FindMap(const Posterior& posterior,
                                    std::span<const double> x,
                                    const MapOptions& options) {
  SOMAFIT_RETURN_IF_ERROR(posterior.CheckObservation(x));
  const size_t d = posterior.n_parameters();
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> starts,
                           Starts(posterior, x, options));
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> potential,
                           posterior.Potential(starts, x));
  std::vector<size_t> order(potential.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t i) { return !std::isfinite(potential[i]); });
  if (order.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "none of ", potential.size(),
        " points to start from has a finite density: start from other ones"));
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return potential[a] > potential[b];
  });
  MapEstimate best;
  best.theta.assign(starts.begin() + order[0] * d,
                    starts.begin() + (order[0] + 1) * d);
  best.potential = potential[order[0]];
  order.resize(
      std::min<size_t>(order.size(), std::max<int64_t>(options.n_best, 1)));

  const UnconstrainedMap map(posterior.prior());
  std::vector<double> u(order.size() * d);
  for (size_t i = 0; i < order.size(); ++i) {
    map.ToUnconstrained(std::span(starts).subspan(order[i] * d, d),
                        std::span(u).subspan(i * d, d));
  }
  absl::Status status;
  const auto objective = [&](std::span<const double> at,
                             std::span<double> value,
                             std::span<double> gradient) {
    std::vector<double> theta(at.size()), slope(d);
    for (size_t i = 0; i < at.size(); i += d) {
      map.FromUnconstrained(at.subspan(i, d), std::span(theta).subspan(i, d));
    }
    // No Jacobian: the mode is that of the density of theta.
    status.Update(posterior.PotentialGradient(theta, x, value, gradient));
    for (size_t i = 0; i < at.size(); i += d) {
      map.Derivative(at.subspan(i, d), slope);
      for (size_t k = 0; k < d; ++k) gradient[i + k] *= slope[k];
    }
  };
  AscentOptions ascent;
  ascent.stop = options.limits.stop;
  for (const Ascent& climbed : Ascend(objective, u, d, ascent)) {
    if (!(climbed.value >= best.potential)) continue;
    best.potential = climbed.value;
    best.converged = climbed.converged;
    map.FromUnconstrained(climbed.u, best.theta);
  }
  SOMAFIT_RETURN_IF_ERROR(status);
  const std::vector<double> sd = posterior.prior().standard_deviation();
  for (size_t k = 0; k < d; ++k) {
    const auto [lower, upper] = posterior.prior().support()[k];
    best.at_bound.push_back(best.theta[k] - lower < 1e-6 * sd[k] ||
                            upper - best.theta[k] < 1e-6 * sd[k]);
  }
  return best;
}

}  // namespace somafit
