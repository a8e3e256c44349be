// The prior where a posterior has its mass.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/posterior.h"
#include "server/posterior/region_cover.h"
#include "server/posterior/region_prior.h"
#include "server/posterior/rejection.h"
#include "server/posterior/resampling.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// The prior is drawn from while it accepts this much.
// Rejection that accepts less is given up for resampling: 10 000 draws would
// take more candidates than a sampler's limit allows.
constexpr double kTooFewAccepted = 0.002;
// Candidates of a draw that is resampled: such that some of them count.
constexpr double kEffectiveCandidates = 8;
constexpr double kMostCandidates = 512;
constexpr double kLogMargin = 0.18232155679395462621;  // log 1.2
// Purposes of what is estimated: no round has these numbers.
constexpr uint32_t kThresholdPurpose = 0xfffffffd;
constexpr uint32_t kCoverPurpose = 0xfffffffc;

std::string Percent(double share) {
  return absl::StrCat(RoundedText(100 * share, 2), " %");
}

double RelativeError(const Share& share) {
  return share.value > 0 ? share.error / share.value : kInf;
}

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
    coverage_ = CountCoverage(accept_, *prior_, options.seed,
                              options.coverage_draws, options.coverage_draws);
    if (coverage_.value >= kFewAccepted) return absl::OkStatus();
    SOMAFIT_ASSIGN_OR_RETURN(const Weighted weighted, Weigh(draws));
    const double from_prior = coverage_.value;
    const Share counted = coverage_;
    if (RelativeError(weighted.coverage) < RelativeError(coverage_)) {
      coverage_ = weighted.coverage;
      coverage_.hits = counted.hits;
      coverage_.tries = counted.tries;
    }
    cover_ = FindCover(InCube(), AcceptedInCube(draws), prior_->size(),
                       {options.seed, kCoverPurpose});
    const double from_cover = cover_ ? cover_->acceptance.value : 0;
    if (cover_ && RelativeError(cover_->volume) < RelativeError(coverage_)) {
      coverage_ = cover_->volume;
    }
    const double best = std::max({from_prior, from_cover, weighted.acceptance});
    std::string how;
    if (best < kTooFewAccepted) {
      way_ = Way::kResampling;
      oversampling_ = static_cast<int64_t>(
          std::clamp(std::ceil(kEffectiveCandidates / weighted.effective), 32.0,
                     kMostCandidates));
      how = absl::StrCat(
          "drawn from the posterior by importance resampling, which is only "
          "nearly the truncated prior, since rejection from anything would "
          "accept at most ",
          Percent(best));
    } else if (from_cover == best) {
      way_ = Way::kCover;
      const size_t n = cover_->cover.n_ellipsoids();
      how = absl::StrCat(
          "drawn by rejection from the prior within ",
          n == 0 ? "a box"
                 : absl::StrCat(
                       n == 1 ? "an ellipsoid" : absl::StrCat(n, " ellipsoids"),
                       " and a box"),
          " around it, which accepts about ", Percent(best));
    } else if (weighted.acceptance == best) {
      way_ = Way::kPosterior;
      log_bound_ = weighted.log_bound;
      how = absl::StrCat(
          "drawn by rejection from the posterior, which accepts about ",
          Percent(best));
    } else {
      how = "drawn by rejection from the prior, which accepts most";
    }
    messages_.push_back(absl::StrCat("the truncated prior is ",
                                     Percent(coverage_.value),
                                     " of the prior: ", how));
    return absl::OkStatus();
  }

  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits& limits) const override {
    switch (way_) {
      case Way::kPrior:
        return RegionPrior::Sample(n, key, limits);
      case Way::kCover:
        return FromCover(n, key, limits);
      case Way::kPosterior:
      case Way::kResampling:
        return FromPosterior(n, key, limits);
    }
    return absl::InternalError("no way to sample");
  }

 private:
  enum class Way {
    kPrior,
    kCover,
    kPosterior,
    kResampling,  // from the posterior
  };

  // What the posterior's draws with the weights prior / posterior say, which
  // are draws from the region.
  struct Weighted {
    Share coverage;
    double acceptance = 0;  // of rejection from the posterior
    double effective = 0;   // (sum w)^2 / (n sum w^2)
    double log_bound = 0;   // of log prior - potential
  };
  absl::StatusOr<Weighted> Weigh(const Draws& draws) const {
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage,
                             posterior_->LeakageAt(x_));
    const double log_z = leakage.size() == 1 ? leakage[0].log_normalizer : 0;
    const size_t d = prior_->size(), n = draws.log_density.size();
    std::vector<double> log_weights(n, -kInf);
    Weighted result;
    result.log_bound = -kInf;
    for (size_t i = 0; i < n; ++i) {
      if (draws.log_density[i] <= threshold_) continue;
      log_weights[i] =
          prior_->LogDensity(std::span(draws.theta).subspan(i * d, d)) -
          draws.log_density[i];
      result.log_bound = std::max(result.log_bound, log_weights[i]);
    }
    double sum = 0, squares = 0;
    for (const double one : log_weights) {
      const double weight = Exp(one - result.log_bound);
      sum += weight;
      squares += weight * weight;
    }
    const double mean = sum / static_cast<double>(n);
    const double square = squares / static_cast<double>(n);
    const double scale = Exp(result.log_bound + log_z);
    result.coverage.value = mean * scale;
    result.coverage.error =
        scale *
        std::sqrt(std::max(square - mean * mean, 0.0) / static_cast<double>(n));
    result.acceptance = mean;
    result.effective = mean * mean / square;
    return result;
  }

  // The region in the cube on which the prior is uniform.
  CubePredicate InCube() const {
    return [this](std::span<const double> u, std::span<bool> inside) {
      accept_(FromCube(u), inside);
    };
  }
  std::vector<double> FromCube(std::span<const double> u) const {
    std::vector<double> theta(u.size());
    for (size_t i = 0; i < u.size(); i += prior_->size()) {
      prior_->FromUniform(u.subspan(i, prior_->size()),
                          std::span(theta).subspan(i, prior_->size()));
    }
    return theta;
  }
  std::vector<double> AcceptedInCube(const Draws& draws) const {
    const size_t d = prior_->size();
    std::vector<double> all, row(d);
    for (size_t i = 0; i < draws.log_density.size(); ++i) {
      if (draws.log_density[i] <= threshold_) continue;
      prior_->ToUniform(std::span(draws.theta).subspan(i * d, d), row);
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }

  absl::StatusOr<Draws> FromCover(int64_t n, DrawKey key,
                                  const DrawLimits& limits) const {
    const size_t d = prior_->size();
    int64_t next = 0;
    const CandidateSource candidates =
        [&](int64_t count, std::vector<double>& theta,
            std::vector<double>& log_ratio) -> absl::Status {
      std::vector<double> u(count * d);
      for (int64_t i = 0; i < count; ++i) {
        cover_->cover.Draw(key, next + i, std::span(u).subspan(i * d, d));
      }
      next += count;
      const std::vector<double> rows = FromCube(u);
      const auto accepted = std::make_unique<bool[]>(count);
      accept_(rows, {accepted.get(), static_cast<size_t>(count)});
      for (int64_t i = 0; i < count; ++i) {
        log_ratio.push_back(accepted[i] ? 0 : -kInf);
      }
      theta.insert(theta.end(), rows.begin(), rows.end());
      return absl::OkStatus();
    };
    SOMAFIT_ASSIGN_OR_RETURN(
        RejectionDraws rejection,
        RejectionSample(candidates, d, {.n = n, .key = key, .limits = limits}));
    return Finish(std::move(rejection.draws));
  }

  absl::StatusOr<Draws> FromPosterior(int64_t n, DrawKey key,
                                      const DrawLimits& limits) const {
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
    if (way_ == Way::kResampling) {
      ResamplingOptions options{n, key, limits, oversampling_};
      // What it takes is known.
      options.limits.max_candidates =
          std::max(limits.max_candidates, 2 * n * oversampling_);
      SOMAFIT_ASSIGN_OR_RETURN(ResampledDraws resampled,
                               Resample(candidates, d, options));
      return Finish(std::move(resampled.draws));
    }
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

  const std::shared_ptr<const Posterior> posterior_;
  const std::vector<double> x_;
  const double threshold_;
  Way way_ = Way::kPrior;
  std::optional<FoundCover> cover_;
  int64_t oversampling_ = 0;
  double log_bound_ = 0;  // of log prior - potential in the region
  std::vector<std::string> messages_;
};

}  // namespace

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
