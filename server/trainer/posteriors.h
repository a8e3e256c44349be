#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/trained_estimator.h"
#include "server/posterior/posterior.h"
#include "server/posterior/proposal.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"

namespace somafit {

using Estimators = std::vector<std::shared_ptr<const TrainedEstimator>>;

// What the rounds of inferences taught. The bytes of estimators are fetched
// each time, since a name may be given again; what was made of the same bytes
// before is kept: nets, and their mass within the prior.
//
// Thread-compatible.
class Posteriors {
 public:
  // DataLoss for bytes that are no estimators of this problem.
  absl::StatusOr<std::shared_ptr<const Estimators>> EstimatorsOf(
      const Problem& problem, int64_t round, const TaskRun& run);

  // What is believed after `round`, to be asked at `x` alone: with NPE-A each
  // round's mixture at x is divided by the proposal that it was drawn from.
  // FailedPrecondition where that has no solution.
  absl::StatusOr<std::shared_ptr<const Posterior>> PosteriorAt(
      const Problem& problem, int64_t round, std::span<const double> x,
      const TaskRun& run);

  // What the parameters of `round` are drawn from: the prior in round 0, else
  // what the round before taught about the observation. Always the same.
  absl::StatusOr<std::unique_ptr<const Proposal>> ProposalOf(
      const Problem& problem, int64_t round, const TaskRun& run);

  // The proposal of `round` as a mixture within the prior; nullopt where it is
  // none. REQUIRES: round > 0.
  absl::StatusOr<std::optional<GaussianMixture>> ProposalMixture(
      const Problem& problem, int64_t round, const TaskRun& run);

 private:
  absl::StatusOr<GaussianMixture> CorrectedMixture(const Problem& problem,
                                                   int64_t round,
                                                   std::span<const double> x,
                                                   const TaskRun& run);

  // `key` is the SHA-256 of the bytes, and for posteriors what else counts.
  template <typename T>
  struct Kept {
    std::string key;
    std::shared_ptr<const T> value;
  };
  absl::StatusOr<Kept<Estimators>> Decoded(const Problem& problem,
                                           int64_t round, const TaskRun& run);

  // Latest first.
  std::list<Kept<Estimators>> estimators_;
  std::list<Kept<Posterior>> posteriors_;
};

// REQUIRES: not empty, kMaxEnsemble at most.
std::string EncodeEstimators(const Estimators& estimators);

// InvalidArgument unless `round` can be a round's number.
absl::Status CheckRound(int64_t round);

}  // namespace somafit
