#include "server/trainer/training_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "server/posterior/calibration_kernel.h"
#include "server/posterior/importance_weights.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

constexpr char kComponents[] = "num_components";

bool SameSupport(const std::vector<Support>& a, const std::vector<Support>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Support& one, const Support& other) {
                      return one.lower == other.lower &&
                             one.upper == other.upper;
                    });
}

bool SameSpec(const EstimatorSpec& a, const EstimatorSpec& b) {
  return a.net == b.net && a.options == b.options &&
         a.z_score_theta == b.z_score_theta && a.z_score_x == b.z_score_x &&
         a.theta_space == b.theta_space && SameSupport(a.support, b.support) &&
         a.x_shape == b.x_shape && a.embedding == b.embedding;
}

// "auto" has chosen in round 0.
EstimatorSpec ChosenSpec(const Problem& problem, const Estimators& before) {
  for (const EstimatorSpec& spec : problem.specs) {
    if (spec.net == before.front()->spec().net) return spec;
  }
  return problem.specs.front();
}

bool IsLastRound(const Problem& problem, int64_t round) {
  return round + 1 >= problem.n_rounds;
}

// NPE-A divides by the proposal, which is exact for one component: so there is
// one until the last round, whose net starts as copies of it.
absl::Status PlanNpeA(const Problem& problem, int64_t round,
                      const Estimators* before, TrainingPlan& plan) {
  EstimatorSpec& spec = plan.specs.front();
  const double wanted = spec.options.at(kComponents);
  if (before == nullptr) {
    if (!IsLastRound(problem, round)) spec.options[kComponents] = 1;
    return absl::OkStatus();
  }
  const EstimatorSpec& old = before->front()->spec();
  const auto found = old.options.find(kComponents);
  if (found == old.options.end()) {
    return absl::DataLossError(
        absl::StrCat("npe_a needs an mdn to go on from, and round ", round - 1,
                     " left ", Quoted(old.net)));
  }
  spec.options[kComponents] = found->second;
  plan.starts = *before;
  if (found->second != 1 || wanted == 1 || !IsLastRound(problem, round)) {
    return absl::OkStatus();
  }
  spec.options[kComponents] = wanted;
  SOMAFIT_ASSIGN_OR_RETURN(
      auto copies,
      ReplicateMixture(*before->front(), static_cast<int64_t>(wanted),
                       SeedOf(problem, Purpose::kReplication, round)));
  plan.starts = {std::move(copies)};
  return absl::OkStatus();
}

// The loss of NPE-C, which depends on what can be written in closed form.
absl::Status PlanNpeC(const Problem& problem, int64_t round, bool exact,
                      Posteriors& posteriors, const TaskRun& run,
                      TrainingPlan& plan) {
  TrainingLoss& loss = plan.loss;
  const auto form = problem.prior->normal_form();
  if (exact && form && plan.specs.front().net == "mdn" &&
      plan.specs.front().theta_space == ThetaSpace::kBounded) {
    SOMAFIT_ASSIGN_OR_RETURN(std::optional<GaussianMixture> proposal,
                             posteriors.ProposalMixture(problem, round, run));
    if (proposal) {
      plan.rows = Algorithm::kNpeCMixture;
      loss.kind = TrainingLoss::Kind::kMixture;
      loss.proposal = *std::move(proposal);
      loss.prior_mean = form->mean;
      loss.prior_precision = form->precision;
      return absl::OkStatus();
    }
  }
  loss.kind = TrainingLoss::Kind::kAtomic;
  loss.num_atoms = problem.num_atoms;
  loss.use_combined_loss = problem.use_combined_loss;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainingPlan> PlanTraining(const Problem& problem, int64_t round,
                                          bool exact, Posteriors& posteriors,
                                          const TaskRun& run) {
  TrainingPlan plan;
  plan.specs = problem.specs;
  plan.rows = problem.algorithm;
  plan.messages = problem.messages;
  std::shared_ptr<const Estimators> before;
  if (round > 0) {
    SOMAFIT_ASSIGN_OR_RETURN(before,
                             posteriors.EstimatorsOf(problem, round - 1, run));
    plan.specs = {ChosenSpec(problem, *before)};
  }
  if (problem.algorithm == Algorithm::kNpeA) {
    SOMAFIT_RETURN_IF_ERROR(PlanNpeA(problem, round, before.get(), plan));
  } else if (before != nullptr && !problem.training.retrain_from_scratch) {
    plan.starts = *before;
  }
  const auto differs = [&](const auto& start) {
    return !SameSpec(start->spec(), plan.specs.front());
  };
  if (std::any_of(plan.starts.begin(), plan.starts.end(), differs)) {
    plan.starts.clear();
    plan.messages.push_back(
        "the estimator is declared otherwise than in the round before: it is "
        "trained from scratch");
  }
  if (problem.algorithm == Algorithm::kNpeC && round > 0 &&
      !problem.training.force_first_round_loss) {
    SOMAFIT_RETURN_IF_ERROR(
        PlanNpeC(problem, round, exact, posteriors, run, plan));
  }
  return plan;
}

namespace {

// Of NPE-B: what each row's parameters count for.
absl::Status Weigh(const Problem& problem, int64_t round,
                   const Simulations& used, Posteriors& posteriors,
                   const TaskRun& run, RowNumbers& numbers) {
  run.say("weighing simulations");
  std::vector<int64_t> counts(static_cast<size_t>(round) + 1);
  for (const int32_t one : used.round) ++counts[static_cast<size_t>(one)];
  std::vector<std::unique_ptr<const Proposal>> proposals;
  std::vector<UsedRound> rounds;
  for (int64_t r = 0; r <= round; ++r) {
    const int64_t count = counts[static_cast<size_t>(r)];
    if (count == 0) continue;
    if (run.cancelled()) return absl::CancelledError("no longer wanted");
    SOMAFIT_ASSIGN_OR_RETURN(auto proposal,
                             posteriors.ProposalOf(problem, r, run));
    rounds.push_back({count, proposal.get()});
    proposals.push_back(std::move(proposal));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      ImportanceWeights weights,
      WeightsOfRounds(used.theta, *problem.prior, rounds,
                      {.largest = problem.largest_weight}));
  numbers.weights = std::move(weights.weight);
  numbers.effective_samples = weights.effective_samples;
  numbers.largest_weight = weights.largest;
  numbers.messages = std::move(weights.messages);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RowNumbers> NumbersOfRows(const Problem& problem, int64_t round,
                                         const TrainingPlan& plan,
                                         const Simulations& used,
                                         Posteriors& posteriors,
                                         const TaskRun& run) {
  RowNumbers numbers;
  if (plan.loss.kind == TrainingLoss::Kind::kAtomic) {
    const size_t d = problem.d();
    for (size_t i = 0; i < used.size(); ++i) {
      numbers.log_prior.push_back(
          problem.prior->LogDensity(std::span(used.theta).subspan(i * d, d)));
    }
  }
  if (problem.algorithm == Algorithm::kNpeB && round > 0 &&
      !problem.training.force_first_round_loss) {
    SOMAFIT_RETURN_IF_ERROR(
        Weigh(problem, round, used, posteriors, run, numbers));
  }
  if (problem.calibration.kind != CalibrationKernel::Kind::kNone) {
    SOMAFIT_ASSIGN_OR_RETURN(CalibratedWeights calibrated,
                             Calibrate(problem.calibration, used.x,
                                       problem.observation, numbers.weights));
    numbers.weights = std::move(calibrated.weight);
    numbers.effective_samples = calibrated.effective_samples;
    numbers.largest_weight = calibrated.largest;
    numbers.messages.insert(numbers.messages.end(), calibrated.messages.begin(),
                            calibrated.messages.end());
  }
  return numbers;
}

}  // namespace somafit
