#include "server/trainer/posteriors.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "proto/convert/digest.h"
#include "server/inference/estimator_file.h"
#include "server/posterior/gaussian_mixture.h"
#include "server/posterior/log_sum.h"
#include "server/posterior/mixture_estimator.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kKeptSets = 32;

absl::Status NoEstimators(const Problem& problem, int64_t round,
                          absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat("the estimators of round ", round, " of ", problem.fit,
                   " cannot be used: ", std::string(why)));
}

// Where proposals were made, and cannot be made without.
absl::Status CheckObserved(const Problem& problem) {
  if (!problem.observation.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      problem.fit, " has no observation, at which there were proposals"));
}

// Moves the one with this key to the front; false where there is none.
template <typename List>
bool Find(List& list, const std::string& key) {
  const auto found =
      std::find_if(list.begin(), list.end(),
                   [&](const auto& kept) { return kept.key == key; });
  if (found == list.end()) return false;
  list.splice(list.begin(), list, found);
  return true;
}

template <typename List>
void Shorten(List& list) {
  while (list.size() > kKeptSets) list.pop_back();
}

absl::StatusOr<Estimators> Decode(const std::string& bytes,
                                  bool allow_scripts) {
  v1::EstimatorSet set;
  if (!set.ParseFromString(bytes)) {
    return absl::DataLossError("they are no EstimatorSet");
  }
  if (set.estimator_size() < 1 || set.estimator_size() > kMaxEnsemble) {
    return absl::DataLossError(absl::StrCat("there are ", set.estimator_size(),
                                            " of them, not 1 to ",
                                            kMaxEnsemble));
  }
  Estimators estimators;
  for (const std::string& file : set.estimator()) {
    SOMAFIT_ASSIGN_OR_RETURN(
        auto estimator,
        DecodeEstimator(file, "cpu",
                        allow_scripts ? Scripts::kAllowed : Scripts::kRefused));
    estimators.push_back(std::move(estimator));
  }
  return estimators;
}

}  // namespace

absl::Status CheckRound(int64_t round) {
  if (round >= 0 && round <= kMaxRound) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("round ", round, " is not within 0 and ", kMaxRound));
}

std::string EncodeEstimators(const Estimators& estimators) {
  v1::EstimatorSet set;
  for (const auto& estimator : estimators) {
    set.add_estimator(EncodeEstimator(*estimator));
  }
  return set.SerializeAsString();
}

absl::StatusOr<Posteriors::Kept<Estimators>> Posteriors::Decoded(
    const Problem& problem, int64_t round, const TaskRun& run) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string bytes,
                           run.fetch_estimators(round));
  const std::string key = Sha256Hex(bytes);
  if (!Find(estimators_, key)) {
    absl::StatusOr<Estimators> decoded = Decode(bytes, run.allow_scripts);
    if (!decoded.ok()) {
      // These say nothing of the bytes: out of memory, and that another trainer
      // may be allowed what this one is not.
      if (absl::IsResourceExhausted(decoded.status()) ||
          absl::IsPermissionDenied(decoded.status())) {
        return decoded.status();
      }
      return NoEstimators(problem, round, decoded.status().message());
    }
    estimators_.push_front(
        {key, std::make_shared<const Estimators>(*std::move(decoded))});
    Shorten(estimators_);
  }
  const Kept<Estimators>& kept = estimators_.front();
  for (const auto& estimator : *kept.value) {
    if (estimator->n_parameters() == problem.d() &&
        estimator->n_features() == problem.e()) {
      continue;
    }
    return NoEstimators(
        problem, round,
        absl::StrCat("they are of ", estimator->n_parameters(),
                     " parameters and ", estimator->n_features(),
                     " features, not ", problem.d(), " and ", problem.e()));
  }
  return kept;
}

absl::StatusOr<std::shared_ptr<const Estimators>> Posteriors::EstimatorsOf(
    const Problem& problem, int64_t round, const TaskRun& run) {
  SOMAFIT_ASSIGN_OR_RETURN(const Kept<Estimators> kept,
                           Decoded(problem, round, run));
  return kept.value;
}

absl::StatusOr<GaussianMixture> Posteriors::CorrectedMixture(
    const Problem& problem, int64_t round, std::span<const double> x,
    const TaskRun& run) {
  if (round > 0) SOMAFIT_RETURN_IF_ERROR(CheckObserved(problem));
  std::optional<GaussianMixture> proposal;
  for (int64_t r = 0; r <= round; ++r) {
    SOMAFIT_ASSIGN_OR_RETURN(const auto estimators,
                             EstimatorsOf(problem, r, run));
    // Every proposal was made at the inference's own observation.
    std::optional<GaussianMixture> estimate = estimators->front()->MixtureAt(
        r == round ? x : std::span<const double>(problem.observation));
    if (!estimate) {
      return NoEstimators(problem, r, "npe_a needs mixtures (mdn)");
    }
    if (proposal) {
      absl::StatusOr<GaussianMixture> divided =
          DivideByProposal(*estimate, *proposal, *problem.prior->normal_form());
      if (!divided.ok()) {
        return absl::Status(
            divided.status().code(),
            absl::StrCat("npe_a has no posterior in round ", r, ": ",
                         std::string(divided.status().message()),
                         "; simulate more in each round, or use npe_c or "
                         "tsnpe"));
      }
      estimate = *std::move(divided);
    }
    proposal = std::move(estimate);
    if (const absl::Status status = CheckMixture(*proposal); !status.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat("npe_a has no posterior in round ", r, ": ",
                       std::string(status.message())));
    }
  }
  return *std::move(proposal);
}

absl::StatusOr<std::shared_ptr<const Posterior>> Posteriors::PosteriorAt(
    const Problem& problem, int64_t round, std::span<const double> x,
    const TaskRun& run) {
  const PosteriorOptions options{
      .seed = SeedOf(problem, Purpose::kPosterior, round)};
  if (problem.algorithm == Algorithm::kNpeA) {
    SOMAFIT_ASSIGN_OR_RETURN(GaussianMixture mixture,
                             CorrectedMixture(problem, round, x, run));
    std::vector<EnsembleMember> members(1);
    members[0].estimator =
        MakeMixtureEstimator(std::move(mixture), problem.e());
    return Posterior::Make(std::move(members), problem.prior, options);
  }
  SOMAFIT_ASSIGN_OR_RETURN(const Kept<Estimators> kept,
                           Decoded(problem, round, run));
  const std::string key = absl::StrCat(problem.key, "/", round, "/", kept.key);
  if (!Find(posteriors_, key)) {
    std::vector<EnsembleMember> members;
    for (const auto& estimator : *kept.value) members.push_back({estimator, 1});
    SOMAFIT_ASSIGN_OR_RETURN(
        std::shared_ptr<const Posterior> posterior,
        Posterior::Make(std::move(members), problem.prior, options));
    posteriors_.push_front({key, std::move(posterior)});
    Shorten(posteriors_);
  }
  return posteriors_.front().value;
}

absl::StatusOr<std::unique_ptr<const Proposal>> Posteriors::ProposalOf(
    const Problem& problem, int64_t round, const TaskRun& run) {
  SOMAFIT_RETURN_IF_ERROR(CheckRound(round));
  if (round == 0) return MakePriorProposal(problem.prior);
  if (problem.observation.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("round ", round,
                     " is drawn for an observation, and there is none: say "
                     "what was observed"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      auto posterior,
      PosteriorAt(problem, round - 1, problem.observation, run));
  if (problem.algorithm != Algorithm::kTruncatedNpe) {
    return MakePosteriorProposal(std::move(posterior), problem.observation);
  }
  TruncationOptions options;
  options.seed = SeedOf(problem, Purpose::kTruncation, round);
  options.epsilon = problem.truncation;
  // A threshold below which some ten draws lie.
  options.threshold_draws =
      std::max(options.threshold_draws,
               static_cast<int64_t>(std::ceil(10 / problem.truncation)));
  return MakeTruncatedPrior(std::move(posterior), problem.observation, options);
}

absl::StatusOr<std::optional<GaussianMixture>> Posteriors::ProposalMixture(
    const Problem& problem, int64_t round, const TaskRun& run) {
  SOMAFIT_RETURN_IF_ERROR(CheckObserved(problem));
  SOMAFIT_ASSIGN_OR_RETURN(const auto estimators,
                           EstimatorsOf(problem, round - 1, run));
  // Each member's part of the mass is counted within the prior.
  std::vector<Leakage> leakage(1);
  if (estimators->size() > 1) {
    SOMAFIT_ASSIGN_OR_RETURN(
        const auto posterior,
        PosteriorAt(problem, round - 1, problem.observation, run));
    SOMAFIT_ASSIGN_OR_RETURN(leakage,
                             posterior->LeakageAt(problem.observation));
  }
  GaussianMixture all;
  for (size_t m = 0; m < estimators->size(); ++m) {
    std::optional<GaussianMixture> one =
        (*estimators)[m]->MixtureAt(problem.observation);
    if (!one) return std::optional<GaussianMixture>();
    for (size_t k = 0; k < one->means.size(); ++k) {
      all.log_weights.push_back(one->log_weights[k] -
                                leakage[m].log_normalizer);
      all.means.push_back(std::move(one->means[k]));
      all.precisions.push_back(std::move(one->precisions[k]));
    }
  }
  NormalizeLog(all.log_weights);
  return std::optional<GaussianMixture>(std::move(all));
}

}  // namespace somafit
