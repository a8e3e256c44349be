#pragma once

#include <memory>
#include <span>
#include <vector>

#include "server/posterior/proposal.h"

namespace somafit {

// What restricted and truncated priors share: the prior where a predicate
// holds, normalized by its coverage, drawn from the prior by rejection.
class RegionPrior : public Proposal {
 public:
  RegionPrior(std::shared_ptr<const Prior> prior, RegionPredicate accept)
      : prior_(std::move(prior)), accept_(std::move(accept)) {}

  ProposalKind kind() const override { return ProposalKind::kRestrictedPrior; }
  Share coverage() const override { return coverage_; }
  void set_coverage(const Share& coverage) { coverage_ = coverage; }

  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits& limits) const override;
  absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta) const override;

 protected:
  // Adds messages and densities.
  absl::StatusOr<Draws> Finish(Draws draws) const;

  const std::shared_ptr<const Prior> prior_;
  const RegionPredicate accept_;
  Share coverage_;
};

// What part of the prior is accepted, counted with its draws: at_least so many,
// more while fewer than 100 were accepted.
Share CountCoverage(const RegionPredicate& accept, const Prior& prior,
                    uint64_t seed, int64_t at_least, int64_t at_most);

}  // namespace somafit
