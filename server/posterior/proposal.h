#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/draws.h"
#include "server/posterior/posterior.h"
#include "server/posterior/prior.h"

namespace somafit {

enum class ProposalKind {
  kPrior,
  kPosterior,        // at its observation
  kTruncatedPrior,   // the prior where a posterior has its mass
  kRestrictedPrior,  // the prior where a predicate holds
};

// What a round's parameters are drawn from. Immutable but for caches behind
// locks; thread-safe.
class Proposal {
 public:
  virtual ~Proposal() = default;
  virtual ProposalKind kind() const = 0;
  // The first n draws of `key`, inside the prior; Draws::log_density is
  // LogDensity. Neither batches nor n change a draw.
  virtual absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                                       const DrawLimits& limits) const = 0;
  // Normalized, of each row of `theta` [n x D]; -inf outside.
  virtual absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta) const = 0;
  // The prior's share that it covers, for the truncated and restricted ones; 1
  // for others. The error is the estimate's.
  virtual Share coverage() const { return {.value = 1}; }
  // What a person should know: how it is sampled and why.
  virtual std::vector<std::string> messages() const { return {}; }
};

std::unique_ptr<const Proposal> MakePriorProposal(
    std::shared_ptr<const Prior> prior);

// The posterior at `x`. Where fewer than 1 % of its candidates lie inside the
// prior, draws come from the prior by rejection if that accepts more; messages
// say so. Errors are those of Posterior::LeakageAt.
absl::StatusOr<std::unique_ptr<const Proposal>> MakePosteriorProposal(
    std::shared_ptr<const Posterior> posterior, std::vector<double> x);

// Whether each row of theta [n x D], inside the prior, is accepted.
using RegionPredicate = std::function<void(std::span<const double> theta,
                                           std::span<bool> accepted)>;

struct RestrictionOptions {
  uint64_t seed = 0;  // of what is estimated by drawing
  // Draws from the prior that tell how much of it is covered, at least.
  int64_t coverage_draws = 10'000;
  int64_t max_coverage_draws = 1'000'000;  // until 100 were accepted
};

// The prior where `accept` holds: prior / coverage there, 0 elsewhere.
// FailedPrecondition where none of max_coverage_draws is accepted.
absl::StatusOr<std::unique_ptr<const Proposal>> MakeRestrictedPrior(
    std::shared_ptr<const Prior> prior, RegionPredicate accept,
    const RestrictionOptions& options = {});

struct TruncationOptions {
  uint64_t seed = 0;
  double epsilon = 1e-4;  // mass of the posterior that is cut off
  int64_t threshold_draws = 100'000;
  int64_t coverage_draws = 10'000;
};

// The prior where the posterior at `x` is denser than at all but `epsilon` of
// its own draws (M. Deistler, P. Goncalves, J. Macke (2022), "Truncated
// proposals for scalable and hassle-free simulation-based inference", NeurIPS
// 35, section 3). Simulations drawn from it need no correction.
//
// It is sampled by rejection from the prior. Where that accepts less than 1 %,
// from what accepts most: the prior within a cover of the region
// (region_cover.h), of which the volume beyond the cover is negligible, the
// posterior with the ratio prior / posterior, which the threshold bounds, or
// still the prior. Where nothing accepts 0.2 %, draws are resampled from the
// posterior with these ratios as weights (resampling.h), which is not exact;
// messages say what is done. The coverage is what has the least error of: a
// count of the prior's draws, the cover's volume times what it accepts, the
// mean of prior / posterior over the threshold's draws.
//
// InvalidArgument where an option is out of range, or x is no observation;
// FailedPrecondition as Posterior::LeakageAt.
absl::StatusOr<std::unique_ptr<const Proposal>> MakeTruncatedPrior(
    std::shared_ptr<const Posterior> posterior, std::vector<double> x,
    const TruncationOptions& options = {});

}  // namespace somafit
