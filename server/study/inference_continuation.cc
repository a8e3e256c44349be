// What of an inference may change while it goes on.
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/coordinator.h"
#include "server/study/fit_run.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/status.h"
#include "worker/core/objective/raw_traces.h"

namespace somafit {

void FitRun::TakePlan(FitPlan plan) {
  auto inference = std::make_shared<InferencePlan>(*plan.inference);
  inference->n_rounds = plan.spec.stop.rounds.value_or(kMaxInferenceRounds);
  const InferenceSpec& spec = *plan.spec.inference;
  // Without one it is that of the recordings, which a user's own has none of.
  if (spec.simulator || !spec.observation.empty()) {
    inference->observation = spec.observation;
    if (inference->columns.raw()) {
      for (double& number : inference->observation) {
        number = RawNumber(number);
      }
    }
  }
  plan.inference = std::move(inference);
  record_.spec = plan.spec;
  plan_ = std::move(plan);
}

absl::Status FitRun::SetObservation(std::vector<double> observation, Now now,
                                    Effects& effects) {
  if (!learns()) {
    return absl::FailedPreconditionError(
        absl::StrCat(title(), " is a fit, which is conditioned on nothing"));
  }
  const bool goes_on = record_.state == FitState::kRunning &&
                       !simulated_by_user() && record_.rounds > 0;
  const bool begun = search_round_ && search_round_->record().round > 0;
  if (record_.rounds > 1 || begun || goes_on) {
    return WrongState(
        "its rounds were drawn for the observation that it has; ask the "
        "posterior at another one, or restart the inference");
  }
  if (record_.rounds > 0 &&
      !record_.spec.inference->training.calibration_kernel.empty()) {
    return WrongState(
        "it was trained with a calibration kernel around the observation that "
        "it has; restart the inference");
  }
  record_.spec.inference->observation = observation;
  if (plan_) {
    FitPlan plan = *std::move(plan_);
    plan.spec.inference->observation = std::move(observation);
    TakePlan(std::move(plan));
  }
  effects.writes.push_back(ChangedFit{record_});
  Settle(now);
  Save(effects);
  return absl::OkStatus();
}

absl::StatusOr<FitRecord> Coordinator::SetObservation(
    const std::string& name, std::vector<double> observation, Now now,
    Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  const absl::Status status =
      fit->SetObservation(std::move(observation), now, effects);
  if (status.ok()) {
    EndTrainerLeases(fit->record().id);
    effects.trainer_work = true;
  }
  return After(status, *fit, now);
}

}  // namespace somafit
