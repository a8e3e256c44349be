#include "server/posterior/posterior_sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "server/posterior/proposal.h"
#include "server/posterior/rejection.h"
#include "server/posterior/resampling.h"
#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Of importance sampling, which remembers their weights: 1 GiB.
constexpr int64_t kMostCandidates = int64_t{1} << 26;
constexpr double kSlopeStep = 1e-6;  // of a standard deviation

// Subtracts the prior's from a log density and its gradient. It only helps to
// find a bound, so that differences will do.
void DivideByPrior(const Prior& prior, std::span<const double> sd,
                   std::span<const double> theta, std::span<double> value,
                   std::span<double> gradient) {
  const size_t d = prior.size();
  for (size_t i = 0; i < value.size(); ++i) {
    std::vector<double> at(theta.begin() + i * d, theta.begin() + (i + 1) * d);
    value[i] -= prior.LogDensity(at);
    for (size_t k = 0; k < d; ++k) {
      const double middle = at[k], step = kSlopeStep * sd[k];
      at[k] = middle + step;
      const double above = prior.LogDensity(at);
      at[k] = middle - step;
      const double slope = (above - prior.LogDensity(at)) / (2 * step);
      at[k] = middle;
      if (std::isfinite(slope)) gradient[i * d + k] -= slope;
    }
  }
}

absl::StatusOr<Draws> FromPrior(const Posterior& posterior,
                                std::span<const double> x, int64_t n,
                                DrawKey key, const DrawLimits& limits,
                                const SamplingOptions& options) {
  if (posterior.prior().improper()) {
    return absl::InvalidArgumentError(
        "there is no prior to draw from: sample_with \"direct\" needs none");
  }
  // Also tells that an observation is none, and that nothing can be accepted.
  SOMAFIT_RETURN_IF_ERROR(posterior.LeakageAt(x).status());
  const Prior& prior = posterior.prior();
  const LogTarget target = [&](std::span<const double> theta,
                               std::span<double> result) {
    const auto potential = posterior.Potential(theta, x);
    SOMAFIT_CHECK(potential.ok());  // x was checked
    std::copy(potential->begin(), potential->end(), result.begin());
  };
  Draws draws;
  if (options.sample_with == SampleWith::kImportance) {
    ResamplingOptions resampling{n, key, limits, options.oversampling_factor};
    resampling.limits.max_candidates =
        std::max(limits.max_candidates, 2 * n * options.oversampling_factor);
    SOMAFIT_ASSIGN_OR_RETURN(ResampledDraws resampled,
                             Resample(PriorCandidates(target, prior, key),
                                      prior.size(), resampling));
    draws = std::move(resampled.draws);
  } else {
    const std::vector<double> sd = prior.standard_deviation();
    const auto ratio_gradient = [&](std::span<const double> theta,
                                    std::span<double> value,
                                    std::span<double> gradient) {
      SOMAFIT_CHECK(
          posterior.PotentialGradient(theta, x, value, gradient).ok());
      DivideByPrior(prior, sd, theta, value, gradient);
    };
    SOMAFIT_ASSIGN_OR_RETURN(
        RejectionDraws rejection,
        SampleFromTarget(target, prior,
                         {.n = n,
                          .key = key,
                          .limits = limits,
                          .ratio_gradient = ratio_gradient}));
    draws = std::move(rejection.draws);
    draws.messages.insert(
        draws.messages.begin(),
        absl::StrCat("by rejection from the prior: ",
                     RoundedText(100 * draws.acceptance.value, 2), " % of ",
                     draws.acceptance.tries, " candidates were accepted"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(draws.log_density,
                           posterior.Potential(draws.theta, x));
  return draws;
}

}  // namespace

absl::StatusOr<SampleWith> ReadSampleWith(std::string_view name) {
  if (name.empty() || name == "direct") return SampleWith::kDirect;
  if (name == "rejection") return SampleWith::kRejection;
  if (name == "importance") return SampleWith::kImportance;
  constexpr char kChoice[] = "give \"direct\", \"rejection\" or \"importance\"";
  if (name == "mcmc" || name == "vi") {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", std::string(name),
        "\" samples what is known up to a constant, as estimators of "
        "likelihoods and ratios are; a posterior's estimator is drawn from "
        "directly: ",
        kChoice));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no sampler \"",
      absl::CHexEscape(std::string(name.substr(0, 80))), "\": ", kChoice));
}

std::vector<std::string> CheckSampling(const SamplingOptions& options,
                                       int64_t n_draws) {
  std::vector<std::string> problems;
  if (options.keep_outside_prior &&
      options.sample_with != SampleWith::kDirect) {
    problems.push_back(
        "draws outside the prior can be kept of direct sampling alone: other "
        "samplers draw from the prior");
  }
  if (options.oversampling_factor < 1 ||
      options.oversampling_factor > kMostOversampling) {
    problems.push_back(absl::StrCat("oversampling_factor is ",
                                    options.oversampling_factor, ": give 1 to ",
                                    kMostOversampling));
  } else if (options.sample_with == SampleWith::kImportance &&
             n_draws > kMostCandidates / options.oversampling_factor) {
    problems.push_back(
        absl::StrCat(n_draws, " draws by an oversampling_factor of ",
                     options.oversampling_factor,
                     " are too many candidates to weigh; at most ",
                     kMostCandidates, " are possible at once"));
  }
  return problems;
}

absl::StatusOr<Draws> SamplePosterior(
    std::shared_ptr<const Posterior> posterior, std::span<const double> x,
    int64_t n, DrawKey key, const DrawLimits& limits,
    const SamplingOptions& options) {
  SOMAFIT_CHECK(CheckSampling(options, n).empty());
  if (options.sample_with != SampleWith::kDirect) {
    return FromPrior(*posterior, x, n, key, limits, options);
  }
  if (!options.keep_outside_prior) {
    SOMAFIT_ASSIGN_OR_RETURN(const double inside, posterior->InsidePrior(x));
    if (inside < kFewAccepted) {
      SOMAFIT_ASSIGN_OR_RETURN(
          const auto proposal,
          MakePosteriorProposal(std::move(posterior), {x.begin(), x.end()}));
      return proposal->Sample(n, key, limits);
    }
  }
  return posterior->Sample(
      x, {.n = n,
          .key = key,
          .limits = limits,
          .reject_outside_prior = !options.keep_outside_prior});
}

}  // namespace somafit
