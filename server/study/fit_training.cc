// How an inference goes on from round to round: what trainers do for it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/fit_run.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/check.h"

namespace somafit {

// A function of what is stored, so that a restarted coordinator wants the same.
std::optional<TrainerJob> FitRun::Job() const {
  if (!learns() || record_.state != FitState::kRunning || !plan_) {
    return std::nullopt;
  }
  if (simulated_by_user() && !IsToTrain()) return std::nullopt;
  if (search_round_) {
    if (!search_round_->complete()) return std::nullopt;
    return TrainerJob{.kind = TrainerJob::Kind::kTrain,
                      .round = search_round_->record().round};
  }
  return TrainerJob{.kind = TrainerJob::Kind::kDraw,
                    .round = record_.rounds,
                    .n = record_.spec.n_samples};
}

std::optional<TrainerJob> FitRun::WantedJob(double now_s) const {
  if (now_s < job_not_before_s_) return std::nullopt;
  return Job();
}

void FitRun::DrawFirstRound(Effects& effects) {
  if (simulated_by_user()) return;
  OpenRoundOf(DrawFromPrior(*plan_->inference, plan_->space, record_.spec.seed,
                            record_.stage, record_.spec.n_samples),
              effects);
}

void FitRun::OpenRoundOf(std::vector<std::vector<double>> points,
                         Effects& effects) {
  RoundRecord round;
  round.fit = record_.id;
  round.stage = record_.stage;
  round.round = record_.rounds;
  round.first_sample = record_.next_sample;
  round.points = std::move(points);
  const auto count = static_cast<int64_t>(round.points.size());
  record_.next_sample += count;
  effects.writes.push_back(round);
  search_round_.emplace(std::move(round), count);
  effects.work_available = true;
}

void FitRun::FinishTraining(std::string estimators, std::string summary,
                            Now now, Effects& effects) {
  SOMAFIT_CHECK(Job() && Job()->kind == TrainerJob::Kind::kTrain);
  effects.writes.push_back(
      EstimatorRecord{.fit = record_.id,
                      .stage = record_.stage,
                      .round = search_round_->record().round,
                      .estimators = std::move(estimators),
                      .summary = summary});
  const int64_t n_rounds = this->n_rounds();
  ++record_.rounds;
  job_attempts_ = 0;
  Settle(now);
  effects.writes.push_back(StageRecord{.fit = record_.id,
                                       .stage = record_.stage,
                                       .kind = StageKind::kOptimize,
                                       .rounds = record_.rounds,
                                       .snapshot = ""});
  AppendRoundEvent(*search_round_, false, now, effects);
  std::get<EventRecord>(effects.writes.back()).training = std::move(summary);
  search_round_.reset();
  if (record_.rounds >= n_rounds) {
    if (n_rounds < plan_->inference->n_rounds) {
      FitPlan plan = *std::move(plan_);
      plan.spec.stop.rounds = n_rounds;
      TakePlan(std::move(plan));
      effects.writes.push_back(ChangedFit{record_});
    }
    SetState(FitState::kSucceeded, "ROUNDS", now, effects);
  } else if (simulated_by_user()) {
    SetState(FitState::kRunning, "", now, effects);
  } else {
    effects.trainer_work = true;
  }
  Save(effects);
}

absl::Status FitRun::FinishDrawing(std::span<const double> theta, Now,
                                   Effects& effects) {
  SOMAFIT_CHECK(Job() && Job()->kind == TrainerJob::Kind::kDraw);
  const size_t n_free = plan_->inference->free.size();
  const auto n = static_cast<size_t>(record_.spec.n_samples);
  if (theta.size() != n * n_free) {
    return absl::InvalidArgumentError(absl::StrCat(
        theta.size(), " numbers were drawn for ", title(), "; round ",
        record_.rounds, " has ", n, " samples of ", n_free, " parameters"));
  }
  for (size_t i = 0; i < theta.size(); ++i) {
    if (std::isfinite(theta[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("number ", i, " drawn for ", title(), " is not finite"));
  }
  for (size_t row = 0; row < n; ++row) {
    if (plan_->inference->prior->Contains(
            theta.subspan(row * n_free, n_free))) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "draw ", row, " for ", title(), " lies outside the prior"));
  }
  job_attempts_ = 0;
  OpenRoundOf(PointsOfFree(*plan_->inference, plan_->space, theta), effects);
  Save(effects);
  return absl::OkStatus();
}

void FitRun::FailJob(const std::string& message, bool final, Now now,
                     Effects& effects) {
  ++job_attempts_;
  job_not_before_s_ = now.steady_s + RetryDelay(job_attempts_);
  if (!final &&
      job_attempts_ < std::max(record_.spec.execution.max_attempts, 1)) {
    effects.trainer_work = true;
    return;
  }
  job_attempts_ = 0;
  // What has been simulated is never given up: to train otherwise, or to append
  // more, mends what another attempt would not.
  if (final && !search_round_) {
    effects.writes.push_back(CancelledSamples{record_.id});
    SetState(FitState::kFailed, absl::StrCat(kTrainerReason, message), now,
             effects);
  } else {
    // What was simulated is kept: a person may mend it and resume.
    SetState(FitState::kPaused, absl::StrCat(kTrainerReason, message), now,
             effects);
  }
  Save(effects);
}

}  // namespace somafit
