// The prior where a predicate holds.

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/region_prior.h"
#include "server/posterior/rejection.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kLeastAccepted = 100;
// The purpose of what is estimated: no round has this number.
constexpr uint32_t kCoveragePurpose = 0xfffffffe;

// Rows of theta -> 0 where accepted, -inf elsewhere, plus the prior: the target
// of rejection from the prior.
LogTarget TargetOf(const RegionPredicate& accept, const Prior& prior) {
  return [&accept, &prior](std::span<const double> theta,
                           std::span<double> log_target) {
    const size_t n = log_target.size(), d = prior.size();
    const auto accepted = std::make_unique<bool[]>(n);
    accept(theta, {accepted.get(), n});
    for (size_t i = 0; i < n; ++i) {
      log_target[i] =
          accepted[i] ? prior.LogDensity(theta.subspan(i * d, d)) : -kInf;
    }
  };
}

}  // namespace

Share CountCoverage(const RegionPredicate& accept, const Prior& prior,
                    uint64_t seed, int64_t at_least, int64_t at_most) {
  int64_t hits = 0, tries = 0;
  while (tries < at_most && (tries < at_least || hits < kLeastAccepted)) {
    const int64_t n = std::min<int64_t>(10'000, at_most - tries);
    std::vector<double> theta(n * prior.size());
    SamplePrior(prior, {seed, kCoveragePurpose}, tries, theta);
    const auto accepted = std::make_unique<bool[]>(n);
    accept(theta, {accepted.get(), static_cast<size_t>(n)});
    hits += std::count(accepted.get(), accepted.get() + n, true);
    tries += n;
  }
  return ShareOf(hits, tries);
}

absl::StatusOr<Draws> RegionPrior::Sample(int64_t n, DrawKey key,
                                          const DrawLimits& limits) const {
  const LogTarget target = TargetOf(accept_, *prior_);
  // The ratio is 1 or 0, so that a bound of 1 holds and no rounding of it
  // decides.
  SOMAFIT_ASSIGN_OR_RETURN(
      RejectionDraws rejection,
      RejectionSample(PriorCandidates(target, *prior_, key), prior_->size(),
                      {.n = n, .key = key, .limits = limits}));
  return Finish(std::move(rejection.draws));
}
absl::StatusOr<std::vector<double>> RegionPrior::LogDensity(
    std::span<const double> theta) const {
  const size_t d = prior_->size(), n = theta.size() / d;
  std::vector<double> result(n, -kInf), inside;
  std::vector<size_t> rows;
  for (size_t i = 0; i < n; ++i) {
    const auto row = theta.subspan(i * d, d);
    if (!prior_->Contains(row)) continue;
    rows.push_back(i);
    inside.insert(inside.end(), row.begin(), row.end());
  }
  if (rows.empty()) return result;
  const auto accepted = std::make_unique<bool[]>(rows.size());
  accept_(inside, {accepted.get(), rows.size()});
  const double log_coverage = Log(coverage_.value);
  for (size_t k = 0; k < rows.size(); ++k) {
    if (!accepted[k]) continue;
    result[rows[k]] =
        prior_->LogDensity(theta.subspan(rows[k] * d, d)) - log_coverage;
  }
  return result;
}

absl::StatusOr<Draws> RegionPrior::Finish(Draws draws) const {
  const std::vector<std::string> about = messages();
  draws.messages.insert(draws.messages.begin(), about.begin(), about.end());
  SOMAFIT_ASSIGN_OR_RETURN(draws.log_density, LogDensity(draws.theta));
  return draws;
}

absl::StatusOr<std::unique_ptr<const Proposal>> MakeRestrictedPrior(
    std::shared_ptr<const Prior> prior, RegionPredicate accept,
    const RestrictionOptions& options) {
  const Share coverage =
      CountCoverage(accept, *prior, options.seed, options.coverage_draws,
                    options.max_coverage_draws);
  if (coverage.hits == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "none of ", coverage.tries,
        " draws from the prior is accepted: nothing can be drawn from such a "
        "restriction; loosen it"));
  }
  auto proposal =
      std::make_unique<RegionPrior>(std::move(prior), std::move(accept));
  proposal->set_coverage(coverage);
  return std::unique_ptr<const Proposal>(std::move(proposal));
}

}  // namespace somafit
