// The prior where a predicate holds, and its special case: where a posterior
// has its mass.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/proposal.h"
#include "server/posterior/rejection.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kFewAccepted = 0.01;
constexpr int64_t kLeastAccepted = 100;
constexpr double kLogMargin = 0.18232155679395462621;  // log 1.2
// Purposes of what is estimated: no round has these numbers.
constexpr uint32_t kCoveragePurpose = 0xfffffffe;
constexpr uint32_t kThresholdPurpose = 0xfffffffd;

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

Share Coverage(const RegionPredicate& accept, const Prior& prior, uint64_t seed,
               int64_t at_least, int64_t at_most) {
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

class RegionPrior : public Proposal {
 public:
  RegionPrior(std::shared_ptr<const Prior> prior, RegionPredicate accept)
      : prior_(std::move(prior)), accept_(std::move(accept)) {}

  ProposalKind kind() const override { return ProposalKind::kRestrictedPrior; }
  Share coverage() const override { return coverage_; }
  void set_coverage(const Share& coverage) { coverage_ = coverage; }

  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits& limits) const override {
    const LogTarget target = TargetOf(accept_, *prior_);
    // The ratio is 1 or 0, so that a bound of 1 holds and no rounding of it
    // decides.
    SOMAFIT_ASSIGN_OR_RETURN(
        RejectionDraws rejection,
        RejectionSample(PriorCandidates(target, *prior_, key), prior_->size(),
                        {.n = n, .key = key, .limits = limits}));
    return Finish(std::move(rejection.draws));
  }
  absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta) const override {
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

 protected:
  absl::StatusOr<Draws> Finish(Draws draws) const {
    const std::vector<std::string> about = messages();
    draws.messages.insert(draws.messages.begin(), about.begin(), about.end());
    SOMAFIT_ASSIGN_OR_RETURN(draws.log_density, LogDensity(draws.theta));
    return draws;
  }

  const std::shared_ptr<const Prior> prior_;
  const RegionPredicate accept_;
  Share coverage_;
};

class TruncatedPrior final : public RegionPrior {
 public:
  TruncatedPrior(std::shared_ptr<const Prior> prior,
                 std::shared_ptr<const Posterior> posterior,
                 std::vector<double> x, double threshold)
      : RegionPrior(
            std::move(prior),
            [posterior = posterior.get(), x, threshold](
                std::span<const double> theta, std::span<bool> accepted) {
              const auto potential = posterior->Potential(theta, x);
              SOMAFIT_CHECK(potential.ok());  // x was checked
              for (size_t i = 0; i < accepted.size(); ++i) {
                accepted[i] = (*potential)[i] > threshold;
              }
            }),
        posterior_(std::move(posterior)),
        x_(std::move(x)),
        threshold_(threshold) {}

  ProposalKind kind() const override { return ProposalKind::kTruncatedPrior; }
  std::vector<std::string> messages() const override { return messages_; }

  // Chooses how to sample, and estimates the coverage, from the draws that gave
  // the threshold.
  absl::Status Prepare(const Draws& draws, const TruncationOptions& options) {
    coverage_ = Coverage(accept_, *prior_, options.seed, options.coverage_draws,
                         options.coverage_draws);
    // Draws with the weights prior / posterior are draws from the region.
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage,
                             posterior_->LeakageAt(x_));
    const double log_z = leakage.size() == 1 ? leakage[0].log_normalizer : 0;
    const size_t d = prior_->size(), n = draws.log_density.size();
    std::vector<double> log_weights(n, -kInf);
    log_bound_ = -kInf;
    for (size_t i = 0; i < n; ++i) {
      if (draws.log_density[i] <= threshold_) continue;
      log_weights[i] =
          prior_->LogDensity(std::span(draws.theta).subspan(i * d, d)) -
          draws.log_density[i];
      log_bound_ = std::max(log_bound_, log_weights[i]);
    }
    double sum = 0, squares = 0;
    for (const double one : log_weights) {
      const double weight = Exp(one - log_bound_);
      sum += weight;
      squares += weight * weight;
    }
    const double mean = sum / static_cast<double>(n);
    const double scale = Exp(log_bound_ + log_z);
    const Share weighted{
        coverage_.hits, coverage_.tries, mean * scale,
        scale * std::sqrt((squares / static_cast<double>(n) - mean * mean) /
                          static_cast<double>(n))};
    if (coverage_.value >= kFewAccepted) return absl::OkStatus();
    if (coverage_.hits == 0 ||
        weighted.error / weighted.value < coverage_.error / coverage_.value) {
      coverage_ = weighted;
    }
    from_posterior_ = mean > coverage_.value;
    messages_.push_back(absl::StrCat(
        "the truncated prior is ", RoundedText(100 * coverage_.value, 2),
        " % of the prior: drawn by rejection from ",
        from_posterior_
            ? absl::StrCat("the posterior, which accepts about ",
                           RoundedText(100 * mean, 2), " %")
            : "the prior, which accepts more than the posterior would"));
    return absl::OkStatus();
  }

  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits& limits) const override {
    if (!from_posterior_) return RegionPrior::Sample(n, key, limits);
    SOMAFIT_ASSIGN_OR_RETURN(PosteriorDraws source,
                             PosteriorDraws::Start(*posterior_, x_, key));
    const size_t d = prior_->size();
    DrawLimits inner = limits;
    inner.max_candidates = std::numeric_limits<int64_t>::max();
    inner.stop = nullptr;
    const CandidateSource candidates =
        [&](int64_t count, std::vector<double>& theta,
            std::vector<double>& log_ratio) -> absl::Status {
      Draws draws;
      source.Next(count, inner, draws);
      // Not the density that came with the draw, which may be rounded otherwise
      // than what LogDensity will say of it.
      SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> potential,
                               posterior_->Potential(draws.theta, x_));
      for (size_t i = 0; i < potential.size(); ++i) {
        const auto row = std::span(draws.theta).subspan(i * d, d);
        log_ratio.push_back(potential[i] > threshold_
                                ? prior_->LogDensity(row) - potential[i]
                                : -kInf);
      }
      theta.insert(theta.end(), draws.theta.begin(), draws.theta.end());
      return absl::OkStatus();
    };
    SOMAFIT_ASSIGN_OR_RETURN(
        RejectionDraws rejection,
        RejectionSample(candidates, d,
                        {.n = n,
                         .key = key,
                         .limits = limits,
                         .log_bound = log_bound_ + kLogMargin,
                         .log_margin = kLogMargin}));
    return Finish(std::move(rejection.draws));
  }

 private:
  const std::shared_ptr<const Posterior> posterior_;
  const std::vector<double> x_;
  const double threshold_;
  bool from_posterior_ = false;
  double log_bound_ = 0;  // of log prior - potential in the region
  std::vector<std::string> messages_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Proposal>> MakeRestrictedPrior(
    std::shared_ptr<const Prior> prior, RegionPredicate accept,
    const RestrictionOptions& options) {
  const Share coverage =
      Coverage(accept, *prior, options.seed, options.coverage_draws,
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

absl::StatusOr<std::unique_ptr<const Proposal>> MakeTruncatedPrior(
    std::shared_ptr<const Posterior> posterior, std::vector<double> x,
    const TruncationOptions& options) {
  if (!(options.epsilon > 0 && options.epsilon < 0.5)) {
    return absl::InvalidArgumentError(
        absl::StrCat("epsilon is ", ShortestText(options.epsilon),
                     ", but must be above 0 and below 0.5"));
  }
  if (static_cast<double>(options.threshold_draws) * options.epsilon < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an epsilon of ", ShortestText(options.epsilon), " needs ",
        RoundedText(std::ceil(1 / options.epsilon), 6),
        " threshold draws or more, not ", options.threshold_draws));
  }
  const DrawKey key{options.seed, kThresholdPurpose};
  // Also tells, before many draws are tried, that none can be accepted.
  SOMAFIT_RETURN_IF_ERROR(posterior->LeakageAt(x).status());
  SOMAFIT_ASSIGN_OR_RETURN(
      const Draws draws,
      posterior->Sample(x, {.n = options.threshold_draws, .key = key}));
  const auto n = draws.log_density.size();
  if (static_cast<double>(n) * options.epsilon < 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "only ", n, " of ", options.threshold_draws,
        " draws of the posterior for the threshold lie inside the prior: "
        "truncate with a larger epsilon, or train with more simulations"));
  }
  std::vector<double> sorted = draws.log_density;
  const auto rank = static_cast<std::ptrdiff_t>(
      std::floor(options.epsilon * static_cast<double>(n)));
  std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end());
  std::shared_ptr<const Prior> prior(posterior, &posterior->prior());
  auto proposal = std::make_unique<TruncatedPrior>(
      std::move(prior), std::move(posterior), std::move(x), sorted[rank]);
  SOMAFIT_RETURN_IF_ERROR(proposal->Prepare(draws, options));
  return std::unique_ptr<const Proposal>(std::move(proposal));
}

}  // namespace somafit
