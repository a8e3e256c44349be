// What people ask for, recovery and time; workers' calls: worker_calls.cc.
#include "server/study/coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxFits = 100'000;

// What another attempt might mend: the server does not start, the fit stays.
bool IsPassing(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInternal ||
         status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kResourceExhausted ||
         status.code() == absl::StatusCode::kDataLoss ||
         status.code() == absl::StatusCode::kNotFound ||
         status.code() == absl::StatusCode::kUnknown;
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options,
                         std::function<std::string()> new_lease)
    : options_(options), new_lease_(std::move(new_lease)) {}

Coordinator::~Coordinator() = default;

absl::Status Coordinator::Recover(
    std::vector<StoredFit> fits, int64_t next_fit_id,
    const std::function<absl::StatusOr<FitPlan>(const FitRecord&)>& plans,
    Now now, Effects& effects) {
  next_fit_id_ = std::max<int64_t>(next_fit_id, 1);
  for (StoredFit& stored : fits) {
    const FitRecord& record = stored.fit;
    const int64_t id = record.id;
    const bool ended = HasEnded(record.state);
    std::string failure;
    std::optional<FitPlan> plan;
    if (!ended && record.numerics_version != kNumericsVersion &&
        !HasOwnSimulator(record.spec)) {
      failure = absl::StrCat(
          "INTERNAL: begun under numerics version ", record.numerics_version,
          ", but this server computes with version ", kNumericsVersion,
          "; submit it again as a new fit");
    } else if (!ended) {
      absl::StatusOr<FitPlan> resolved = plans(record);
      if (resolved.ok()) {
        plan = *std::move(resolved);
      } else if (IsPassing(resolved.status())) {
        return absl::Status(
            resolved.status().code(),
            absl::StrCat("fits/", record.name,
                         " cannot be taken up: ", resolved.status().message()));
      } else {
        failure = absl::StrCat("INTERNAL: ",
                               resolved.status().message().substr(0, 1000));
      }
    }
    fits_by_name_[record.name] = id;
    auto fit =
        std::make_unique<FitRun>(std::move(stored), std::move(plan), now);
    if (failure.empty() && !fit->restored().ok()) {
      failure = absl::StrCat("INTERNAL: ", fit->restored().message());
    }
    if (!failure.empty()) {
      fit->Fail(failure, now, effects);
    } else if (!ended && fit->record().state == FitState::kRunning) {
      if (!fit->WantsWorkers() || fit->DrawsOn()) effects.advance.push_back(id);
      effects.trainer_work |= fit->learns();
      effects.work_available = true;
    }
    fits_[id] = std::move(fit);
    next_fit_id_ = std::max(next_fit_id_, id + 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<FitRun*> Coordinator::FindFit(std::string_view name) const {
  std::string_view bare = name;
  if (bare.starts_with("fits/")) bare.remove_prefix(5);
  const auto found = fits_by_name_.find(bare);
  if (found == fits_by_name_.end()) {
    return absl::NotFoundError(
        absl::StrCat("no fit is named \"fits/",
                     absl::CHexEscape(std::string(bare.substr(0, 80))),
                     "\"; somafit list shows those there are"));
  }
  return fits_.at(found->second).get();
}

absl::StatusOr<FitRecord> Coordinator::After(absl::Status status, FitRun& fit,
                                             Now now) {
  SOMAFIT_RETURN_IF_ERROR(status);
  DropUnwantedLeases(fit.record().id);
  return fit.View(now);
}

absl::StatusOr<std::string> Coordinator::FreeName(const FitPlan& plan) const {
  if (fits_.size() >= kMaxFits) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", kMaxFits, " fits; delete some before making another"));
  }
  const FitSpec& spec = plan.spec;
  if (!spec.name.empty()) {
    if (!IsFitName(spec.name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", absl::CHexEscape(spec.name.substr(0, 80)),
                       "\" cannot name a fit: ", std::string(kFitNameRule)));
    }
    if (fits_by_name_.contains(spec.name)) {
      return absl::AlreadyExistsError(
          absl::StrCat("there is a fit named \"fits/", spec.name,
                       "\" already; choose another name or delete that fit"));
    }
    return spec.name;
  }
  const std::string label = spec.label.empty() ? "fit" : spec.label;
  for (int64_t n = next_fit_id_;; ++n) {
    std::string name = absl::StrCat(label, "-", n);
    if (!IsFitName(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(label.substr(0, 80)),
          "\" cannot be a fit's label: ", std::string(kFitNameRule)));
    }
    if (!fits_by_name_.contains(name)) return name;
  }
}

absl::StatusOr<FitRecord> Coordinator::CreateFit(FitPlan plan,
                                                 ModelSource model, Now now,
                                                 Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(std::string name, FreeName(plan));
  const int64_t id = next_fit_id_++;
  auto fit = std::make_unique<FitRun>(id, name, std::move(plan),
                                      std::move(model), now, effects);
  FitRecord record = fit->View(now);
  fits_by_name_[std::move(name)] = id;
  fits_[id] = std::move(fit);
  return record;
}

absl::StatusOr<FitRecord> Coordinator::ValidateFit(const FitPlan& plan,
                                                   Now now) const {
  SOMAFIT_ASSIGN_OR_RETURN(std::string name, FreeName(plan));
  return FitRun::NewRecord(next_fit_id_, std::move(name), plan, now);
}

absl::StatusOr<FitRecord> Coordinator::GetFit(const std::string& name,
                                              Now now) const {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* fit, FindFit(name));
  return fit->View(now);
}

std::vector<FitRecord> Coordinator::ListFits(int64_t after_id, int limit,
                                             Now now) const {
  std::vector<FitRecord> records;
  for (auto it = fits_.upper_bound(after_id);
       it != fits_.end() && static_cast<int>(records.size()) < limit; ++it) {
    records.push_back(it->second->View(now));
  }
  return records;
}

absl::StatusOr<FitRecord> Coordinator::PauseFit(const std::string& name,
                                                Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return After(fit->Pause(now, effects), *fit, now);
}

absl::StatusOr<FitRecord> Coordinator::ResumeFit(const std::string& name,
                                                 Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return After(fit->Resume(now, effects), *fit, now);
}

absl::StatusOr<FitRecord> Coordinator::CancelFit(const std::string& name,
                                                 Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return After(fit->Cancel(now, effects), *fit, now);
}

absl::Status Coordinator::DeleteFit(const std::string& name, Now,
                                    Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  SOMAFIT_RETURN_IF_ERROR(fit->MayDelete());
  const int64_t id = fit->record().id;
  const std::string bare = fit->record().name;
  effects.writes.push_back(DeletedFit{id, bare});
  FailTraceRequests(
      id,
      absl::AbortedError(absl::StrCat(
          fit->title(), " was deleted while its traces were simulated")),
      effects);
  for (auto& [number, question] : questions_) {
    if (question.task.fit != id) continue;
    FailQuestion(number,
                 absl::AbortedError(absl::StrCat(
                     fit->title(), " was deleted while it was asked")),
                 effects);
  }
  fits_by_name_.erase(bare);
  fits_.erase(id);
  curves_.erase(id);
  DropUnwantedLeases(id);
  return absl::OkStatus();
}

absl::StatusOr<FitRecord> Coordinator::AckRound(const std::string& name,
                                                int32_t stage, int64_t round,
                                                GateAnswer answer, Now now,
                                                Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  return After(
      fit->Ack(stage, round, answer == GateAnswer::kStop, now, effects), *fit,
      now);
}

absl::StatusOr<Coordinator::EvaluationStage> Coordinator::EvaluatePoints(
    const std::string& name, FitPlan plan,
    std::vector<std::vector<double>> points, Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  SOMAFIT_RETURN_IF_ERROR(
      fit->Evaluate(std::move(plan), std::move(points), now, effects));
  const OpenRound& round = fit->current_round();
  return EvaluationStage{round.record().stage, round.first(), round.size()};
}

absl::StatusOr<FitRecord> Coordinator::ContinueFit(const std::string& name,
                                                   Continuation continuation,
                                                   Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(name));
  const absl::Status status =
      fit->Continue(std::move(continuation), now, effects);
  // What was paused may be trained by other options now.
  if (status.ok()) EndTrainerLeases(fit->record().id);
  return After(status, *fit, now);
}

absl::StatusOr<Coordinator::ResultShape> Coordinator::ShapeOf(
    const std::string& fit) const {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* found, FindFit(fit));
  const FitRecord& record = found->record();
  return ResultShape{
      .n_outputs = record.outputs.size(),
      .n_traces = record.n_traces,
      .n_raw = record.n_raw,
      .owner = {.fit = record.id, .create_time_us = record.create_time_us}};
}

bool Coordinator::IsOpen(const std::string& fit, int64_t sample) const {
  const absl::StatusOr<const FitRun*> found = FindFit(fit);
  return found.ok() && (*found)->RoundOf(sample) != nullptr;
}

void Coordinator::Advance(int64_t fit, Now now, Effects& effects) {
  const auto found = fits_.find(fit);
  if (found == fits_.end()) return;
  found->second->Advance(now, effects);
  DropUnwantedLeases(fit);
}

void Coordinator::Forgive(double gap_s, Now now) {
  for (auto& [session, worker] : workers_) {
    worker.last_seen_s = std::min(worker.last_seen_s + gap_s, now.steady_s);
  }
  for (auto& [name, lease] : leases_) {
    lease.granted_s = std::min(lease.granted_s + gap_s, now.steady_s);
  }
  for (auto& [session, trainer] : trainers_) {
    trainer.last_seen_s = std::min(trainer.last_seen_s + gap_s, now.steady_s);
  }
  for (auto& [number, question] : questions_) {
    question.asked_s = std::min(question.asked_s + gap_s, now.steady_s);
  }
}

void Coordinator::BeginNextLeases(Now now) {
  for (const auto& [session, worker] : workers_) {
    somafit::Lease* next = nullptr;
    bool begun = false;
    for (const std::string& name : worker.leases) {
      somafit::Lease& lease = leases_.at(name);
      begun |= !lease.waits;
      if (!next || lease.granted_s < next->granted_s) next = &lease;
    }
    if (begun || !next) continue;
    next->waits = false;
    next->granted_s = now.steady_s;
  }
}

void Coordinator::Tick(Now now, Effects& effects) {
  const double previous_s = ticked_ ? last_tick_s_ : now.steady_s;
  ticked_ = true;
  last_tick_s_ = now.steady_s;
  // If this process itself stood still, nobody could be heard.
  const double gap_s = now.steady_s - previous_s;
  if (gap_s > options_.lease_s / 3) Forgive(gap_s, now);
  BeginNextLeases(now);

  struct Ending {
    std::string lease;
    AttemptEnd end;
    std::string message;
  };
  std::vector<Ending> endings;
  for (const auto& [name, lease] : leases_) {
    const auto fit = fits_.find(lease.fit);
    const auto worker = workers_.find(lease.session);
    if (worker == workers_.end() || !IsLive(worker->second, now)) {
      // What it had not begun says nothing about why it died.
      endings.push_back(
          {name, lease.waits ? AttemptEnd::kReleased : AttemptEnd::kLost,
           "the worker fell silent while it simulated"});
    } else if (fit != fits_.end()) {
      const double limit = fit->second->record().spec.execution.task_timeout_s;
      if (!lease.waits && now.steady_s - lease.granted_s > limit) {
        endings.push_back(
            {name, AttemptEnd::kOverdue,
             absl::StrCat("the task took longer than task_timeout, ", limit,
                          " s")});
      }
    }
  }
  for (const Ending& ending : endings) {
    EndLease(ending.lease, ending.end, ending.message, now, effects);
  }
  const double forget_s = std::max(3 * options_.lease_s, 60.0);
  std::erase_if(workers_, [&](const auto& entry) {
    return entry.second.leases.empty() &&
           now.steady_s - entry.second.last_seen_s > forget_s;
  });
  for (auto& [id, fit] : fits_) fit->Tick(previous_s, now, effects);
  TickTrainers(now, effects);
  for (const auto& [id, request] : trace_requests_) {
    effects.work_available |= request.BecameReady(previous_s, now.steady_s);
  }
}

}  // namespace somafit
