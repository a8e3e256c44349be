#include "tests/support/npe_score.h"

#include <ctime>
#include <memory>
#include <utility>

#include "server/inference/training.h"
#include "server/posterior/c2st.h"
#include "server/posterior/posterior.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// No training has this seed.
constexpr uint64_t kFreshSeed = 0x66726573;

absl::StatusOr<SbiReference> ReferenceOf(const SbiTask& task,
                                         const NpeScoreOptions& options,
                                         int observation) {
  if (!options.fresh) return ReadSbiReference(task.name(), observation);
  Simulations one = SimulateFromPrior(task, kFreshSeed, observation, 1);
  std::vector<double> posterior =
      ExactPosterior(task, one.x, kFreshSeed + observation, options.draws);
  return SbiReference{std::move(one.x), std::move(one.theta),
                      std::move(posterior)};
}

}  // namespace

absl::StatusOr<NpeScore> ScoreNpe(const SbiTask& task,
                                  const NpeScoreOptions& options) {
  std::vector<SbiReference> references;
  for (const int observation : options.observations) {
    SOMAFIT_ASSIGN_OR_RETURN(SbiReference reference,
                             ReferenceOf(task, options, observation));
    references.push_back(std::move(reference));
  }
  const Simulations simulations =
      SimulateFromPrior(task, options.seed, 0, options.simulations);
  EstimatorSpec spec = DefaultEstimatorSpec(options.net);
  spec.support = task.prior()->support();
  spec.x_shape = {static_cast<int64_t>(task.n_features())};
  TrainingOptions training;
  training.training_batch_size = options.batch;
  training.seed = options.seed;
  NpeScore score;
  const std::clock_t begin = std::clock();
  SOMAFIT_ASSIGN_OR_RETURN(TrainingResult trained,
                           Train(spec, training,
                                 {.theta = simulations.theta,
                                  .x = simulations.x,
                                  .weights = {},
                                  .rounds = {},
                                  .log_prior = {}}));
  score.training_seconds =
      static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  score.epochs = trained.summary.epochs;
  SOMAFIT_ASSIGN_OR_RETURN(
      const auto posterior,
      Posterior::Make({{std::move(trained.estimator), 1}}, task.prior()));
  const size_t d = task.n_parameters();
  for (size_t i = 0; i < references.size(); ++i) {
    SOMAFIT_ASSIGN_OR_RETURN(
        const Draws draws,
        posterior->Sample(references[i].observation,
                          {.n = options.draws,
                           .key = {.seed = options.seed,
                                   .purpose = static_cast<uint32_t>(i)}}));
    const auto n = static_cast<size_t>(options.draws) * d;
    SOMAFIT_ASSIGN_OR_RETURN(
        const C2stScore compared,
        C2st(std::span(references[i].posterior).first(n),
             std::span(draws.theta).first(n), d,
             {.folds = options.folds, .single_precision = true}));
    score.c2st.push_back(compared.score);
    score.mean += compared.score / static_cast<double>(references.size());
  }
  return score;
}

}  // namespace somafit
