// The prior and the posterior as proposals.

#include "server/posterior/proposal.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/rejection.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

class PriorProposal final : public Proposal {
 public:
  explicit PriorProposal(std::shared_ptr<const Prior> prior)
      : prior_(std::move(prior)) {}

  ProposalKind kind() const override { return ProposalKind::kPrior; }
  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits&) const override {
    Draws draws;
    draws.theta.resize(n * prior_->size());
    SamplePrior(*prior_, key, 0, draws.theta);
    SOMAFIT_ASSIGN_OR_RETURN(draws.log_density, LogDensity(draws.theta));
    draws.acceptance = ShareOf(n, n);
    return draws;
  }
  absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta) const override {
    const size_t d = prior_->size();
    std::vector<double> log_density(theta.size() / d);
    for (size_t i = 0; i < log_density.size(); ++i) {
      log_density[i] = prior_->LogDensity(theta.subspan(i * d, d));
    }
    return log_density;
  }

 private:
  const std::shared_ptr<const Prior> prior_;
};

class PosteriorProposal final : public Proposal {
 public:
  PosteriorProposal(std::shared_ptr<const Posterior> posterior,
                    std::vector<double> x)
      : posterior_(std::move(posterior)), x_(std::move(x)) {}

  // Chooses how to sample.
  absl::Status Prepare() {
    SOMAFIT_ASSIGN_OR_RETURN(const double inside, posterior_->InsidePrior(x_));
    // From an improper prior nothing can be drawn.
    if (inside >= kFewAccepted || posterior_->prior().improper()) {
      return absl::OkStatus();
    }
    // What rejection from the prior would accept: the mean ratio over the
    // largest.
    const LogTarget target = Target();
    std::vector<double> theta, log_ratio;
    SOMAFIT_RETURN_IF_ERROR(
        PriorCandidates(target, posterior_->prior(), {0, 0xffffffff})(
            10'000, theta, log_ratio));
    log_bound_ = -std::numeric_limits<double>::infinity();
    for (const double one : log_ratio) log_bound_ = std::fmax(log_bound_, one);
    double sum = 0;
    if (std::isfinite(log_bound_)) {
      for (const double one : log_ratio) sum += Exp(one - log_bound_);
    }
    const double from_prior = sum / static_cast<double>(log_ratio.size());
    from_prior_ = from_prior > inside;
    messages_.push_back(absl::StrCat(
        "only ", RoundedText(100 * inside, 2),
        " % of the posterior's candidates lie inside the prior: ",
        from_prior_ ? absl::StrCat("drawn by rejection from the prior, which "
                                   "accepts about ",
                                   RoundedText(100 * from_prior, 2), " %")
                    : "drawing will be slow; a truncated proposal would not "
                      "leak"));
    return absl::OkStatus();
  }

  ProposalKind kind() const override { return ProposalKind::kPosterior; }
  absl::StatusOr<Draws> Sample(int64_t n, DrawKey key,
                               const DrawLimits& limits) const override {
    Draws draws;
    if (from_prior_) {
      const LogTarget target = Target();
      SOMAFIT_ASSIGN_OR_RETURN(
          RejectionDraws rejection,
          RejectionSample(PriorCandidates(target, posterior_->prior(), key),
                          posterior_->n_parameters(),
                          {.n = n,
                           .key = key,
                           .limits = limits,
                           .log_bound = log_bound_ + kLogMargin,
                           .log_margin = kLogMargin}));
      draws = std::move(rejection.draws);
    } else {
      SOMAFIT_ASSIGN_OR_RETURN(
          draws,
          posterior_->Sample(x_, {.n = n, .key = key, .limits = limits}));
    }
    draws.messages.insert(draws.messages.begin(), messages_.begin(),
                          messages_.end());
    SOMAFIT_ASSIGN_OR_RETURN(draws.log_density, LogDensity(draws.theta));
    return draws;
  }
  absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta) const override {
    return posterior_->LogDensity(theta, x_);
  }
  std::vector<std::string> messages() const override { return messages_; }

 private:
  static constexpr double kLogMargin = 0.18232155679395462621;  // log 1.2

  LogTarget Target() const {
    return [this](std::span<const double> theta, std::span<double> result) {
      const auto potential = posterior_->Potential(theta, x_);
      SOMAFIT_CHECK(potential.ok());  // Prepare has checked x
      std::copy(potential->begin(), potential->end(), result.begin());
    };
  }

  const std::shared_ptr<const Posterior> posterior_;
  const std::vector<double> x_;
  bool from_prior_ = false;
  double log_bound_ = 0;
  std::vector<std::string> messages_;
};

}  // namespace

std::unique_ptr<const Proposal> MakePriorProposal(
    std::shared_ptr<const Prior> prior) {
  return std::make_unique<const PriorProposal>(std::move(prior));
}

absl::StatusOr<std::unique_ptr<const Proposal>> MakePosteriorProposal(
    std::shared_ptr<const Posterior> posterior, std::vector<double> x) {
  auto proposal =
      std::make_unique<PosteriorProposal>(std::move(posterior), std::move(x));
  SOMAFIT_RETURN_IF_ERROR(proposal->Prepare());
  return std::unique_ptr<const Proposal>(std::move(proposal));
}

}  // namespace somafit
