// What people ask of a fit: the transitions of FitRun.

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/fit_run.h"

namespace somafit {

absl::Status FitRun::WrongState(std::string_view remedy) const {
  return absl::FailedPreconditionError(absl::StrCat(
      title(), " is ", std::string(FitStateName(record_.state)),
      record_.reason.empty() ? "" : absl::StrCat(" (", record_.reason, ")"),
      evaluating() ? ", evaluating points" : "", ": ", std::string(remedy)));
}

absl::Status FitRun::Pause(Now now, Effects& effects) {
  if (record_.state == FitState::kPaused) {
    return WrongState("it is paused already; resume it to go on");
  }
  if (HasEnded(record_.state)) {
    return WrongState("a fit that has ended cannot be paused");
  }
  DrawRest(effects);
  SetState(FitState::kPaused, "USER", now, effects);
  Save(effects);
  return absl::OkStatus();
}

absl::Status FitRun::Resume(Now now, Effects& effects) {
  if (record_.state == FitState::kGated) {
    return WrongState(absl::StrCat("it waits for an answer to round ",
                                   record_.rounds - 1, " of stage ",
                                   record_.stage, "; acknowledge that round"));
  }
  if (record_.state == FitState::kRunning) {
    return WrongState("only a paused fit can be resumed");
  }
  if (HasEnded(record_.state)) {
    return WrongState(
        "a fit that has ended cannot be resumed; submit a new one");
  }
  breaker_armed_ = false;
  SetState(FitState::kRunning, "", now, effects);
  if (simulated_by_user()) {
    // It waits for simulations, or to be told to train.
  } else if (learns() && Job()) {
    effects.trainer_work = true;
  } else if (!current()) {
    DrawRound(effects);
  } else if (current()->complete()) {
    effects.advance.push_back(record_.id);
  }
  effects.work_available = true;
  Save(effects);
  return absl::OkStatus();
}

absl::Status FitRun::Cancel(Now now, Effects& effects) {
  if (HasEnded(record_.state)) {
    return WrongState("it has ended already; delete it to be rid of it");
  }
  DrawRest(effects);
  effects.writes.push_back(CancelledSamples{record_.id});
  if (evaluating() && HasEnded(*record_.resume_state)) {
    LeaveEvaluation(now, effects);
  } else {
    if (search_round_) TakeBest(*search_round_);
    record_.resume_state.reset();
    record_.resume_reason.clear();
    SetState(FitState::kCancelled, "USER", now, effects);
  }
  Save(effects);
  return absl::OkStatus();
}

absl::Status FitRun::MayDelete() const {
  if (HasEnded(record_.state) || record_.state == FitState::kPaused) {
    return absl::OkStatus();
  }
  return WrongState(
      "only a fit that has ended or is paused can be deleted; cancel it first");
}

absl::Status FitRun::Ack(int32_t stage, int64_t round, bool stop, Now now,
                         Effects& effects) {
  if (record_.state != FitState::kGated) {
    return WrongState(record_.state == FitState::kPaused
                          ? "no round waits for an answer; resume it to go on"
                          : "no round waits for an answer");
  }
  if (stage != record_.stage || round != record_.rounds - 1) {
    return WrongState(absl::StrCat(
        "it waits for an answer to round ", record_.rounds - 1, " of stage ",
        record_.stage, ", not to round ", round, " of stage ", stage));
  }
  if (stop) {
    SetState(FitState::kSucceeded, "USER", now, effects);
  } else {
    SetState(FitState::kRunning, "", now, effects);
    DrawRound(effects);
  }
  Save(effects);
  return absl::OkStatus();
}

absl::Status FitRun::Evaluate(FitPlan plan,
                              std::vector<std::vector<double>> points, Now now,
                              Effects& effects) {
  if (learns()) {
    return absl::FailedPreconditionError(absl::StrCat(
        title(), " is an inference, which has no errors; generate its traces"));
  }
  if (record_.state == FitState::kRunning ||
      record_.state == FitState::kGated || evaluating()) {
    return WrongState(
        "points can be evaluated once the fit has ended or is paused and no "
        "other evaluation is under way");
  }
  const size_t n_parameters = record_.parameters.size();
  const auto count = static_cast<int64_t>(points.size());
  if (count < 1 || count > kMaxSamplesPerRound ||
      !RoundFitsIntoEvent(count, n_parameters, record_.outputs.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        count,
        " points cannot be evaluated at once; give at least 1 and at "
        "most ",
        kMaxSamplesPerRound,
        ", and fewer where there are many "
        "parameters or outputs"));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    if (points[i].size() != n_parameters) {
      return absl::InvalidArgumentError(
          absl::StrCat("point ", i, " has ", points[i].size(), " values; ",
                       title(), " has ", n_parameters, " parameters"));
    }
    for (size_t p = 0; p < n_parameters; ++p) {
      if (!std::isfinite(points[i][p])) {
        return absl::InvalidArgumentError(
            absl::StrCat("parameter \"", record_.parameters[p].name,
                         "\" of point ", i, " is not a finite number"));
      }
      points[i][p] += 0.0;  // SQLite stores -0.0 as 0.0
    }
  }
  if (!plan_) plan_ = std::move(plan);
  RoundRecord round;
  round.fit = record_.id;
  round.stage = record_.n_stages++;
  round.first_sample = record_.next_sample;
  round.points = std::move(points);
  record_.next_sample += count;
  record_.resume_state = record_.state;
  record_.resume_reason = record_.reason;
  effects.writes.push_back(StageRecord{.fit = record_.id,
                                       .stage = round.stage,
                                       .kind = StageKind::kEvaluate,
                                       .rounds = 0,
                                       .snapshot = ""});
  SetState(FitState::kRunning, "", now, effects);
  effects.writes.push_back(round);
  evaluation_round_.emplace(std::move(round), count);
  effects.work_available = true;
  Save(effects);
  return absl::OkStatus();
}

}  // namespace somafit
