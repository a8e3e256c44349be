// How a fit goes on that has ended, or is paused.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/fit_run.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

// Samples are rows of one table, whatever stage they belong to.
absl::Status CheckColumns(const FitRecord& record, const FitPlan& plan) {
  const auto names = [](const auto& list) {
    std::string text;
    for (const auto& each : list) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", each.name);
    }
    return text;
  };
  if (plan.inference) {
    const auto width = [](size_t n_raw, size_t n_outputs, size_t n_traces) {
      return n_raw > 0 ? n_raw : n_outputs * n_traces;
    };
    const size_t n_raw =
        plan.inference->columns.raw() ? plan.inference->columns.size() : 0;
    if (n_raw != record.n_raw || plan.n_traces != record.n_traces) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inference: x would have ",
          width(n_raw, plan.outputs.size(), plan.n_traces), " columns",
          n_raw > 0 ? " of raw traces" : "", ", but fits/", record.name,
          " records ",
          width(record.n_raw, record.outputs.size(), record.n_traces),
          record.n_raw > 0 ? " of raw traces" : "",
          "; submit an inference of its own"));
    }
  }
  const std::string before = names(record.outputs);
  const std::string after = names(plan.outputs);
  if (before == after) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "metrics: the errors would be of ", after, ", but fits/", record.name,
      " records those of ", before, "; submit a fit of its own"));
}

}  // namespace

absl::Status FitRun::Continue(Continuation continuation, Now now,
                              Effects& effects) {
  if (record_.id != continuation.fit || record_.stage != continuation.stage ||
      record_.rounds != continuation.rounds) {
    return absl::AbortedError(
        absl::StrCat(title(), " changed meanwhile; look at it and ask again"));
  }
  const bool paused = record_.state == FitState::kPaused;
  if (!HasEnded(record_.state) && !paused) {
    return WrongState(record_.state == FitState::kGated
                          ? "answer the round that waits"
                          : "it can be continued once it has ended or is "
                            "paused");
  }
  if (!continuation.restart && !paused &&
      record_.state != FitState::kSucceeded) {
    return WrongState(
        "it ended in the middle of a round, which cannot be taken up again; "
        "continue with restart");
  }
  if (learns() && !continuation.restart && !paused &&
      record_.spec.inference->algorithm == "npe_a") {
    return WrongState(
        "npe_a has trained its last round, whose mixture proposes nothing; "
        "continue with restart");
  }
  if (record_.numerics_version != kNumericsVersion && !simulated_by_user()) {
    return absl::FailedPreconditionError(
        absl::StrCat(title(), " was simulated with numerics version ",
                     record_.numerics_version, ", this server has version ",
                     kNumericsVersion, "; submit a new fit"));
  }
  FitPlan& plan = continuation.plan;
  if (learns() && !continuation.restart) {
    if (plan.inference->prior->improper() && record_.rounds > 0) {
      return WrongState(
          "it has no prior, of which later rounds could be drawn; submit "
          "another with one");
    }
    // It may have been set since the plan was made.
    plan.spec.inference->observation = record_.spec.inference->observation;
  }
  if (!continuation.restart && search_round_ &&
      plan.spec.start_iteration != record_.spec.start_iteration) {
    return WrongState(
        "its round has begun with another `iteration`; resume it, or leave "
        "out start_iteration");
  }
  if (absl::Status status = CheckColumns(record_, plan); !status.ok()) {
    return status;
  }
  std::unique_ptr<Optimizer> optimizer =
      learns() ? nullptr : MakeOptimizer(plan);
  if (learns()) {
    // There is nothing to take up but estimators.
  } else if (paused && !continuation.restart) {
    optimizer = std::move(optimizer_);
  } else if (!continuation.restart && !continuation.snapshot.empty()) {
    absl::Status restored = optimizer->Restore(continuation.snapshot);
    if (!restored.ok()) return restored;
  }
  StopRules& stop = plan.stop;
  StopSpec& written = plan.spec.stop;
  // What is stored must be what a spec may have.
  if (!continuation.restart) {
    if (stop.rounds) {
      stop.rounds = std::min(*stop.rounds + record_.rounds,
                             learns() ? kMaxInferenceRounds : kMaxStopRounds);
      written.rounds = stop.rounds;
    }
    if (stop.evaluations) {
      const int64_t before = record_.rounds * record_.spec.n_samples;
      stop.evaluations =
          std::min(*stop.evaluations + before, kMaxStopEvaluations);
      written.evaluations = stop.evaluations;
    }
  }
  if (stop.elapsed_s) {
    stop.elapsed_s = std::min(*stop.elapsed_s + record_.elapsed_s, 1e15);
    written.time = absl::StrCat(ShortestText(*stop.elapsed_s), "*second");
  }
  if (learns() && !simulated_by_user()) {
    const int64_t most =
        std::max(plan.spec.n_samples,
                 continuation.restart ? int64_t{0} : record_.spec.n_samples);
    if (const auto excess =
            TooManyNumbers(*plan.inference, written.rounds.value_or(1), most)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "rounds: ", *excess, "; submit an inference of its own"));
    }
  }
  plan.spec.name = record_.name;
  if (learns()) {
    TakePlan(std::move(plan));
  } else {
    record_.spec = plan.spec;
    plan_ = std::move(plan);
  }
  record_.parameters = plan_->space.parameters();
  record_.error_dimension = plan_->error_dimension;
  record_.outputs = plan_->outputs;
  if (continuation.restart && paused) {
    // What is left of its round will not be needed.
    DrawRest(effects);
    effects.writes.push_back(CancelledSamples{record_.id});
    search_round_.reset();
  }
  if (continuation.restart) {
    record_.stage = record_.n_stages++;
    record_.rounds = 0;
    record_.best_sample.reset();
    record_.best_parameters.clear();
    record_.best_error = 0;
    effects.writes.push_back(StageRecord{.fit = record_.id,
                                         .stage = record_.stage,
                                         .kind = StageKind::kOptimize,
                                         .rounds = 0,
                                         .snapshot = "",
                                         .spec = record_.spec});
  }
  effects.writes.push_back(ChangedFit{record_});
  optimizer_ = std::move(optimizer);
  breaker_armed_ = false;
  job_not_before_s_ = 0;
  SetState(FitState::kRunning, "", now, effects);
  if (!current()) {
    if (const auto reason = StopReason(now)) {
      SetState(FitState::kSucceeded, *reason, now, effects);
    } else if (!learns()) {
      DrawRound(effects);
    } else if (record_.rounds == 0) {
      DrawFirstRound(effects);
    } else {
      effects.trainer_work = true;
    }
  } else {
    // A paused fit's round, which counts as the first; its limits are those
    // that a restarted coordinator would give it.
    if (search_round_) search_round_->SetLimits({});
    LimitRound();
    effects.trainer_work = learns();
    if (current()->complete()) effects.advance.push_back(record_.id);
    effects.work_available = true;
  }
  Save(effects);
  return absl::OkStatus();
}

}  // namespace somafit
