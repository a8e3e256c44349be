// Rounds of a simulator of the user's own: simulations are appended, and the
// user says when to learn from them.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/posterior/round_rules.h"
#include "server/study/coordinator.h"
#include "server/study/fit_run.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

// The reason of a running inference whose present round is to be learned from.
constexpr char kTraining[] = "TRAINING";
constexpr char kLastTraining[] = "LAST_TRAINING";

absl::Status NoPrior(const std::string& title) {
  return absl::FailedPreconditionError(absl::StrCat(
      title,
      " has no prior: nothing can be proposed, and its first round is "
      "its last; give a prior to go on in rounds"));
}

}  // namespace

bool FitRun::IsToTrain() const {
  return record_.state == FitState::kRunning &&
         (record_.reason == kTraining || record_.reason == kLastTraining);
}

int64_t FitRun::n_rounds() const {
  return IsToTrain() && record_.reason == kLastTraining
             ? record_.rounds + 1
             : plan_->inference->n_rounds;
}

absl::Status FitRun::MayAppend(const std::optional<int64_t>& round) const {
  if (!simulated_by_user()) {
    return absl::FailedPreconditionError(absl::StrCat(
        title(),
        " has a model, which workers simulate; only inferences with "
        "inference.simulator take simulations of your own"));
  }
  if (HasEnded(record_.state)) {
    return WrongState("continue it to go on");
  }
  if (IsToTrain()) {
    return WrongState("a trainer learns from its round; wait for that");
  }
  if (round && *round != record_.rounds) {
    return absl::FailedPreconditionError(
        absl::StrCat(title(), " is in round ", record_.rounds, ", not in ",
                     *round, ": propose parameters for the present one"));
  }
  return absl::OkStatus();
}

absl::Status FitRun::CheckOwn(std::span<const double> theta,
                              std::span<const double> x) const {
  const InferencePlan& plan = *plan_->inference;
  const size_t n_free = plan.free.size(), n_columns = plan.columns.size();
  const size_t n = theta.size() / n_free;
  if (n == 0 || theta.size() != n * n_free || x.size() != n * n_columns) {
    return absl::InvalidArgumentError(absl::StrCat(
        "theta has ", theta.size(), " numbers and x ", x.size(), "; ", title(),
        " takes rows of ", n_free, " and ", n_columns));
  }
  const int64_t present = search_round_ ? search_round_->size() : 0;
  const auto after = present + static_cast<int64_t>(n);
  if (after > kMaxSamplesPerRound ||
      !RoundFitsIntoEvent(after, record_.parameters.size(),
                          record_.outputs.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "round ", record_.rounds, " of ", title(), " has ", present,
        " simulations and would have ", after, "; at most ",
        kMaxSamplesPerRound,
        " are possible, and fewer with many parameters: train, and go on in "
        "the next round"));
  }
  const int64_t rows = record_.next_sample + static_cast<int64_t>(n);
  if (static_cast<int64_t>(n_columns) > kMaxNumbersOfX / rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        title(), " would have ", rows, " simulations of ", n_columns,
        " numbers; at most ", kMaxNumbersOfX, " numbers are possible"));
  }
  for (size_t row = 0; row < n; ++row) {
    const auto point = theta.subspan(row * n_free, n_free);
    if (plan.prior->Contains(point)) continue;
    size_t worst = 0;
    while (worst + 1 < n_free &&
           point[worst] >= plan.prior->support()[worst].lower &&
           point[worst] <= plan.prior->support()[worst].upper) {
      ++worst;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "row ", row, " of theta: ", record_.parameters[plan.free[worst]].name,
        " = ", ShortestText(point[worst]), " (SI) lies outside the prior"));
  }
  return absl::OkStatus();
}

absl::StatusOr<AppendedSimulations> FitRun::AppendSimulations(
    const std::optional<int64_t>& round, std::span<const double> theta,
    std::span<const double> x, Now now, Effects& effects) {
  SOMAFIT_RETURN_IF_ERROR(MayAppend(round));
  SOMAFIT_RETURN_IF_ERROR(CheckOwn(theta, x));
  if (record_.state == FitState::kPaused) {
    SetState(FitState::kRunning, "", now, effects);
  }
  std::vector<std::vector<double>> points =
      PointsOfFree(*plan_->inference, plan_->space, theta);
  const int64_t first = record_.next_sample;
  const auto n = static_cast<int64_t>(points.size());
  if (search_round_) {
    record_.next_sample += n;
    effects.writes.push_back(search_round_->Append(std::move(points)));
  } else {
    OpenRoundOf(std::move(points), effects);
  }
  const size_t n_columns = plan_->inference->columns.size();
  const size_t n_traces = plan_->n_traces;
  std::vector<RecordedSample> samples;
  samples.reserve(static_cast<size_t>(n));
  for (int64_t row = 0; row < n; ++row) {
    const auto values =
        x.subspan(static_cast<size_t>(row) * n_columns, n_columns);
    RecordedSample& sample = samples.emplace_back();
    sample.sample = first + row;
    Evaluation& evaluation = sample.evaluation;
    evaluation.trace_errors.assign(values.begin(), values.end());
    const bool finite =
        std::all_of(values.begin(), values.end(),
                    [](double value) { return std::isfinite(value); });
    evaluation.status = finite ? SampleStatus::kOk : SampleStatus::kNonfinite;
    // The mean over traces, of which there is one where features have names.
    for (size_t f = 0; f < record_.outputs.size(); ++f) {
      double sum = 0;
      for (size_t t = 0; t < n_traces; ++t) sum += values[f * n_traces + t];
      evaluation.output_errors.push_back(sum / static_cast<double>(n_traces));
    }
  }
  Record("", 0, std::move(samples), now, effects);
  return AppendedSimulations{.round = record_.rounds,
                             .simulations = search_round_->size(),
                             .invalid = search_round_->n_not_ok()};
}

absl::Status FitRun::Train(FitPlan plan, const FitRecord& seen,
                           bool final_round, Now now, Effects& effects) {
  if (record_.id != seen.id || record_.last_seq != seen.last_seq) {
    return absl::AbortedError(
        absl::StrCat(title(), " changed meanwhile; look at it and ask again"));
  }
  SOMAFIT_RETURN_IF_ERROR(MayAppend(std::nullopt));
  const int64_t n = search_round_ ? search_round_->size() : 0;
  if (n < kLeastSimulations) {
    return absl::FailedPreconditionError(
        absl::StrCat("round ", record_.rounds, " of ", title(), " has ", n,
                     " simulations; append at least ", kLeastSimulations));
  }
  if (record_.rounds > 0 && plan.inference->prior->improper()) {
    return NoPrior(title());
  }
  const TrainingSpec& training = plan.spec.inference->training;
  const double fraction = training.validation_fraction;
  SOMAFIT_RETURN_IF_ERROR(CheckTrainingSize(n, fraction == 0 ? 0.1 : fraction));
  const bool observed = !record_.spec.inference->observation.empty();
  if (record_.rounds > 0 && !observed && plan.inference->algorithm != "tsnpe") {
    return absl::FailedPreconditionError(absl::StrCat(
        title(),
        " has no observation, at which its proposals were made; set "
        "it first"));
  }
  if (!training.calibration_kernel.empty() && !observed) {
    return absl::FailedPreconditionError(absl::StrCat(
        title(), " has no observation, which the calibration kernel ",
        Quoted(training.calibration_kernel), " is around; set it first"));
  }
  // What may change now is what plans of a round's end are made of.
  plan.spec.name = record_.name;
  plan.spec.inference->observation = record_.spec.inference->observation;
  TakePlan(std::move(plan));
  effects.writes.push_back(ChangedFit{record_});
  SetState(FitState::kRunning, final_round ? kLastTraining : kTraining, now,
           effects);
  job_attempts_ = 0;
  job_not_before_s_ = 0;
  effects.trainer_work = true;
  Save(effects);
  return absl::OkStatus();
}

absl::Status FitRun::ImportEstimators(int64_t round, std::string estimators,
                                      std::string summary, Now now,
                                      Effects& effects) {
  SOMAFIT_RETURN_IF_ERROR(MayAppend(round));
  if (search_round_) {
    return absl::FailedPreconditionError(
        absl::StrCat("round ", round, " of ", title(), " has ",
                     search_round_->size(), " simulations; train on them"));
  }
  effects.writes.push_back(EstimatorRecord{.fit = record_.id,
                                           .stage = record_.stage,
                                           .round = round,
                                           .estimators = std::move(estimators),
                                           .summary = std::move(summary)});
  ++record_.rounds;
  Settle(now);
  effects.writes.push_back(StageRecord{.fit = record_.id,
                                       .stage = record_.stage,
                                       .kind = StageKind::kOptimize,
                                       .rounds = record_.rounds,
                                       .snapshot = ""});
  if (record_.rounds >= plan_->inference->n_rounds) {
    SetState(FitState::kSucceeded, "ROUNDS", now, effects);
  } else if (record_.state == FitState::kPaused) {
    SetState(FitState::kRunning, "", now, effects);
  }
  Save(effects);
  return absl::OkStatus();
}

absl::StatusOr<FitRecord> Coordinator::ImportEstimators(
    const std::string& name, int64_t round, std::string estimators,
    std::string summary, Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return After(fit->ImportEstimators(round, std::move(estimators),
                                     std::move(summary), now, effects),
               *fit, now);
}

absl::StatusOr<AppendedSimulations> Coordinator::AppendSimulations(
    const std::string& name, const std::optional<int64_t>& round,
    std::span<const double> theta, std::span<const double> x, Now now,
    Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return fit->AppendSimulations(round, theta, x, now, effects);
}

absl::StatusOr<FitRecord> Coordinator::Train(const std::string& name,
                                             FitPlan plan,
                                             const FitRecord& seen,
                                             bool final_round, Now now,
                                             Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  const absl::Status status =
      fit->Train(std::move(plan), seen, final_round, now, effects);
  // What was paused is of the same round, but perhaps of other options.
  if (status.ok()) EndTrainerLeases(fit->record().id);
  return After(status, *fit, now);
}

absl::StatusOr<ProposalPlan> Coordinator::PlanProposal(
    const std::string& name, const std::optional<int64_t>& first) const {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* const fit, FindFit(name));
  SOMAFIT_RETURN_IF_ERROR(fit->MayAppend(std::nullopt));
  const FitRecord& record = fit->record();
  if (fit->plan().inference->prior->improper()) return NoPrior(fit->title());
  if (record.rounds > 0 && fit->plan().inference->observation.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        fit->title(),
        " has no observation, at which what was learned could propose "
        "parameters; set it first"));
  }
  return ProposalPlan{.round = record.rounds,
                      .first = first.value_or(fit->appended())};
}

}  // namespace somafit
