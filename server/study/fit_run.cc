#include "server/study/fit_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/inference_plan.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

// The breaker looks at a fit's first samples only.
constexpr int64_t kBreakerFirst = 100;
constexpr int64_t kBreakerLeast = 20;

// SQLite stores -0.0 as 0.0: no number of ours may depend on the sign of zero.
void DropSignOfZero(std::vector<double>& values) {
  for (double& value : values) value += 0.0;
}

}  // namespace

FitRecord FitRun::NewRecord(int64_t id, std::string name, const FitPlan& plan,
                            Now now) {
  FitRecord record;
  record.id = id;
  record.name = std::move(name);
  record.spec = plan.spec;
  record.spec.name = record.name;
  record.model_hash = plan.model_hash;
  record.parameters = plan.space.parameters();
  record.outputs = plan.outputs;
  record.error_dimension = plan.error_dimension;
  record.n_traces = plan.n_traces;
  if (plan.inference && plan.inference->columns.raw()) {
    record.n_raw = plan.inference->columns.size();
  }
  record.create_time_us = now.unix_us;
  record.numerics_version = kNumericsVersion;
  return record;
}

FitRun::FitRun(int64_t id, std::string name, FitPlan plan, ModelSource model,
               Now now, Effects& effects)
    : record_(NewRecord(id, std::move(name), plan, now)),
      plan_(std::move(plan)),
      optimizer_(learns() ? nullptr : MakeOptimizer(*plan_)) {
  effects.writes.push_back(ModelRecord{record_.model_hash, std::move(model)});
  effects.writes.push_back(NewFit{record_});
  effects.writes.push_back(StageRecord{.fit = id,
                                       .stage = 0,
                                       .kind = StageKind::kOptimize,
                                       .rounds = 0,
                                       .snapshot = "",
                                       .spec = record_.spec});
  SetState(FitState::kRunning, "", now, effects);
  if (const auto reason = StopReason(now)) {
    SetState(FitState::kSucceeded, *reason, now, effects);
  } else if (learns()) {
    DrawFirstRound(effects);
  } else {
    DrawRound(effects);
  }
  Save(effects);
}

FitRun::FitRun(StoredFit stored, std::optional<FitPlan> plan, Now now)
    : record_(std::move(stored.fit)), plan_(std::move(plan)) {
  if (HasEnded(record_.state)) {
    plan_.reset();
    return;
  }
  std::string snapshot;
  for (StageRecord& stage : stored.stages) {
    if (stage.stage == record_.stage) snapshot = std::move(stage.snapshot);
  }
  const bool search_ended =
      record_.resume_state && HasEnded(*record_.resume_state);
  if (plan_ && !search_ended && !learns()) {
    optimizer_ = MakeOptimizer(*plan_);
    if (!snapshot.empty()) restored_ = optimizer_->Restore(snapshot);
  }
  for (StoredRound& round : stored.open_rounds) {
    if (round.round.stage == record_.stage) {
      if (!search_ended) TakeUp(std::move(round));
      LimitRound();
    } else if (round.round.stage == record_.n_stages - 1) {
      evaluation_round_.emplace(std::move(round), 0);
    }
  }
  clock_runs_ = record_.state == FitState::kRunning && !evaluating();
  running_since_s_ = now.steady_s;
  gated_since_s_ = now.steady_s;
}

void FitRun::Fail(const std::string& reason, Now now, Effects& effects) {
  effects.writes.push_back(CancelledSamples{record_.id});
  if (evaluating() && HasEnded(*record_.resume_state)) {
    LeaveEvaluation(now, effects);
  } else {
    record_.resume_state.reset();
    record_.resume_reason.clear();
    SetState(FitState::kFailed, reason, now, effects);
  }
  Save(effects);
}

FitRecord FitRun::View(Now now) const {
  FitRecord view = record_;
  view.elapsed_s = Elapsed(now);
  if (const std::optional<TrainerJob> job = Job()) {
    view.phase = job->kind == TrainerJob::Kind::kTrain ? "training" : "drawing";
  } else if (simulated_by_user() && record_.state == FitState::kRunning) {
    view.phase = "waiting for simulations";
  }
  return view;
}

double FitRun::Elapsed(Now now) const {
  if (!clock_runs_) return record_.elapsed_s;
  return record_.elapsed_s + std::max(0.0, now.steady_s - running_since_s_);
}

void FitRun::Settle(Now now) {
  record_.elapsed_s = Elapsed(now);
  running_since_s_ = now.steady_s;
}

void FitRun::SetState(FitState state, std::string reason, Now now,
                      Effects& effects) {
  Settle(now);
  record_.state = state;
  record_.reason = std::move(reason);
  clock_runs_ = state == FitState::kRunning && !evaluating();
  if (state == FitState::kGated) gated_since_s_ = now.steady_s;
  EventRecord event;
  event.fit = record_.id;
  event.seq = ++record_.last_seq;
  event.time_us = now.unix_us;
  event.kind = EventRecord::Kind::kState;
  event.state = state;
  event.reason = record_.reason;
  effects.writes.push_back(std::move(event));
  if (HasEnded(state)) {
    plan_.reset();
    optimizer_.reset();
    search_round_.reset();
    evaluation_round_.reset();
  }
}

void FitRun::Save(Effects& effects) const {
  FitRecord changed;
  changed.id = record_.id;
  changed.state = record_.state;
  changed.reason = record_.reason;
  changed.stage = record_.stage;
  changed.n_stages = record_.n_stages;
  changed.rounds = record_.rounds;
  changed.next_sample = record_.next_sample;
  changed.samples_done = record_.samples_done;
  changed.samples_failed = record_.samples_failed;
  changed.best_sample = record_.best_sample;
  changed.best_parameters = record_.best_parameters;
  changed.best_error = record_.best_error;
  changed.elapsed_s = record_.elapsed_s;
  changed.last_seq = record_.last_seq;
  changed.resume_state = record_.resume_state;
  changed.resume_reason = record_.resume_reason;
  effects.writes.push_back(UpdatedFit{std::move(changed)});
}

void FitRun::AppendRoundEvent(const OpenRound& round, bool gated, Now now,
                              Effects& effects) {
  EventRecord event;
  event.fit = record_.id;
  event.seq = ++record_.last_seq;
  event.time_us = now.unix_us;
  event.kind = EventRecord::Kind::kRound;
  event.stage = round.record().stage;
  event.round = round.record().round;
  event.first_sample = round.first();
  event.n_samples = round.size();
  event.best_sample = record_.best_sample.value_or(-1);
  event.best_parameters = record_.best_parameters;
  event.best_error = record_.best_error;
  event.gated = gated;
  effects.writes.push_back(std::move(event));
}

void FitRun::TakeBest(const OpenRound& round) {
  for (int64_t s = round.first(); s < round.first() + round.size(); ++s) {
    const OpenRound::Outcome& outcome = round.outcome(s);
    if (outcome.status != SampleStatus::kOk ||
        !std::isfinite(outcome.total_error)) {
      continue;
    }
    if (record_.best_sample && outcome.total_error >= record_.best_error) {
      continue;
    }
    record_.best_sample = s;
    record_.best_error = outcome.total_error;
    record_.best_parameters = round.point(s);
  }
}

std::optional<std::string> FitRun::StopReason(Now now) const {
  const StopRules& stop = plan_->stop;
  if (stop.target && record_.best_sample &&
      record_.best_error <= *stop.target) {
    return "TARGET";
  }
  if (stop.rounds && record_.rounds >= *stop.rounds) return "ROUNDS";
  if (stop.evaluations &&
      record_.rounds * record_.spec.n_samples >= *stop.evaluations) {
    return "EVALUATIONS";
  }
  if (stop.elapsed_s && record_.rounds > 0 && Elapsed(now) >= *stop.elapsed_s) {
    return "TIME";
  }
  return std::nullopt;
}

void FitRun::Advance(Now now, Effects& effects) {
  // Only a running fit draws on: all else writes the rest first.
  if (DrawsOn()) {
    DrawMore(effects);
    if (DrawsOn()) effects.advance.push_back(record_.id);
    return;
  }
  if (record_.state != FitState::kRunning || !current() ||
      !current()->complete()) {
    return;
  }
  if (evaluating()) {
    EndEvaluation(now, effects);
  } else if (learns()) {
    effects.trainer_work = true;
    return;
  } else {
    EndSearchRound(now, effects);
  }
  Save(effects);
}

void FitRun::EndSearchRound(Now now, Effects& effects) {
  Learn();
  TakeBest(*search_round_);
  ++record_.rounds;
  Settle(now);
  effects.writes.push_back(StageRecord{.fit = record_.id,
                                       .stage = record_.stage,
                                       .kind = StageKind::kOptimize,
                                       .rounds = record_.rounds,
                                       .snapshot = optimizer_->Snapshot()});
  const std::optional<std::string> stop = StopReason(now);
  const bool gated = !stop && record_.spec.gate.enabled;
  AppendRoundEvent(*search_round_, gated, now, effects);
  search_round_.reset();
  if (stop) {
    SetState(FitState::kSucceeded, *stop, now, effects);
  } else if (gated) {
    SetState(FitState::kGated, "", now, effects);
  } else {
    DrawRound(effects);
  }
}

void FitRun::EndEvaluation(Now now, Effects& effects) {
  effects.writes.push_back(
      StageRecord{.fit = record_.id,
                  .stage = evaluation_round_->record().stage,
                  .kind = StageKind::kEvaluate,
                  .rounds = 1,
                  .snapshot = ""});
  AppendRoundEvent(*evaluation_round_, false, now, effects);
  LeaveEvaluation(now, effects);
}

void FitRun::LeaveEvaluation(Now now, Effects& effects) {
  evaluation_round_.reset();
  const FitState state = *record_.resume_state;
  record_.resume_state.reset();
  SetState(state, std::exchange(record_.resume_reason, ""), now, effects);
}

void FitRun::Tick(double previous_s, Now now, Effects& effects) {
  if (WantsWorkers() &&
      current_round().pending().BecameReady(previous_s, now.steady_s)) {
    effects.work_available = true;
  }
  if (record_.state != FitState::kGated ||
      now.steady_s - gated_since_s_ < record_.spec.gate.timeout_s) {
    return;
  }
  if (record_.spec.gate.then == GateTimeout::kPause) {
    SetState(FitState::kPaused, "GATE_TIMEOUT", now, effects);
  } else {
    SetState(FitState::kRunning, "", now, effects);
    DrawRound(effects);
  }
  Save(effects);
}

// ---------------------------------------------------------------------------
// Workers

bool FitRun::WantsWorkers() const {
  return record_.state == FitState::kRunning && plan_ && current() &&
         !current()->complete() && !simulated_by_user();
}

bool FitRun::HasReadyWork(double now_s) const {
  return WantsWorkers() && current()->pending().HasReady(now_s);
}

const OpenRound& FitRun::current_round() const { return *current(); }

std::optional<SampleRange> FitRun::Take(int64_t n, double now_s) {
  if (!WantsWorkers()) return std::nullopt;
  return current()->pending().Take(n, now_s);
}

OpenRound* FitRun::MutableRoundOf(int64_t sample) {
  return const_cast<OpenRound*>(std::as_const(*this).RoundOf(sample));
}

const OpenRound* FitRun::RoundOf(int64_t sample) const {
  if (search_round_ && search_round_->IsOpen(sample)) return &*search_round_;
  if (evaluation_round_ && evaluation_round_->IsOpen(sample)) {
    return &*evaluation_round_;
  }
  return nullptr;
}

bool FitRun::IsWanted(const SampleRange& range) const {
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    if (RoundOf(s) != nullptr) return true;
  }
  return false;
}

int64_t FitRun::Record(const std::string& worker, int64_t microseconds,
                       std::vector<RecordedSample> samples, Now now,
                       Effects& effects) {
  const int64_t done_before = record_.samples_done;
  int64_t already = 0;
  ResultsRecord results;
  for (RecordedSample& sample : samples) {
    OpenRound* round = MutableRoundOf(sample.sample);
    if (round == nullptr) {
      ++already;
      continue;
    }
    Evaluation& evaluation = sample.evaluation;
    if (learns()) {
      // Features are values, not errors.
      evaluation.total_error = std::numeric_limits<double>::quiet_NaN();
      evaluation.output_errors_normalized.clear();
    } else if (evaluation.status == SampleStatus::kOk &&
               !std::isfinite(evaluation.total_error)) {
      evaluation.status = SampleStatus::kNonfinite;
    }
    evaluation.total_error += 0.0;
    DropSignOfZero(evaluation.output_errors);
    DropSignOfZero(evaluation.output_errors_normalized);
    if (evaluation.penalty) *evaluation.penalty += 0.0;
    round->Record(sample.sample, evaluation.status, evaluation.total_error);
    ++record_.samples_done;
    if (evaluation.status == SampleStatus::kFailed) ++record_.samples_failed;
    results.samples.push_back(std::move(sample));
  }
  if (results.samples.empty()) return already;
  results.fit = record_.id;
  results.worker = worker;
  results.microseconds = std::max<int64_t>(microseconds, 0);
  results.numerics_version = kNumericsVersion;
  effects.writes.push_back(std::move(results));
  BreakCircuit(done_before, now, effects);
  if (record_.state == FitState::kRunning && current() &&
      current()->complete()) {
    effects.advance.push_back(record_.id);
  }
  Save(effects);
  return already;
}

void FitRun::BreakCircuit(int64_t done_before, Now now, Effects& effects) {
  if (!breaker_armed_ || record_.state != FitState::kRunning || evaluating() ||
      done_before >= kBreakerFirst || record_.samples_done < kBreakerLeast ||
      2 * record_.samples_failed <= record_.samples_done) {
    return;
  }
  DrawRest(effects);
  SetState(FitState::kPaused, "BREAKER", now, effects);
}

void FitRun::EndAttempt(SampleRange range, AttemptEnd end,
                        const std::string& message, Now now, Effects& effects) {
  OpenRound* round = nullptr;
  for (int64_t s = range.first; s < range.first + range.count && !round; ++s) {
    round = MutableRoundOf(s);
  }
  if (round == nullptr) return;
  effects.work_available = true;
  if (end == AttemptEnd::kReleased) {
    round->GiveBack(range);
    return;
  }
  const int max_attempts = std::max(record_.spec.execution.max_attempts, 1);
  ++range.attempts;
  if (end != AttemptEnd::kFailed) {
    ++range.losses;
    if (range.losses >= 2 && range.count > 1) {
      // One sample may kill whoever simulates it: its neighbours shall not be
      // recorded as failed for that, so each half starts anew. A single sample
      // is found after about 2 log2(n) losses.
      const int64_t half = range.count / 2;
      round->GiveBack({.first = range.first, .count = half});
      round->GiveBack(
          {.first = range.first + half, .count = range.count - half});
      return;
    }
  }
  // A worker's end says nothing about a single sample of many.
  const bool may_give_up = end == AttemptEnd::kFailed || range.count == 1;
  if (range.attempts < max_attempts || !may_give_up) {
    if (end == AttemptEnd::kFailed) {
      range.not_before_s = now.steady_s + RetryDelay(range.attempts);
    }
    round->GiveBack(range);
    return;
  }
  std::vector<RecordedSample> failed;
  for (const int64_t s : round->OpenSamples(range)) {
    Evaluation evaluation;
    evaluation.status = SampleStatus::kFailed;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    evaluation.total_error = nan;
    evaluation.output_errors.assign(record_.outputs.size(), nan);
    evaluation.output_errors_normalized = evaluation.output_errors;
    evaluation.trace_errors.assign(record_.outputs.size() * record_.n_traces,
                                   nan);
    evaluation.reason = absl::StrCat(
        "given up after ", range.attempts,
        range.attempts == 1 ? " attempt: " : " attempts: ", message);
    failed.push_back({s, std::move(evaluation)});
  }
  Record("", 0, std::move(failed), now, effects);
}

}  // namespace somafit
