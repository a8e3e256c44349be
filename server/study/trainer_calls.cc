// What trainers do, and what people ask of posteriors.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "server/study/coordinator.h"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxTrainers = 1000;
constexpr int kMaxQuestionAttempts = 3;
// How long a question waits where no trainer is connected.
constexpr double kQuestionPatience = 60;
constexpr size_t kMaxMessage = 2000;

absl::Status NotWanted() {
  return absl::NotFoundError(
      "the task is not wanted any more: its lease has ended, or its fit has");
}

}  // namespace

absl::StatusOr<Coordinator::Session> Coordinator::RegisterTrainer(
    const TrainerHello& hello, Now now) {
  if (trainers_.size() >= kMaxTrainers) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", kMaxTrainers,
        " trainers already; those that fell silent are forgotten in time"));
  }
  std::string session = new_lease_();
  trainers_[session] = {
      .hello = hello, .last_seen_s = now.steady_s, .lease = "", .activity = ""};
  return Session{std::move(session), options_.lease_s};
}

absl::StatusOr<Coordinator::Trainer*> Coordinator::TouchTrainer(
    const std::string& session, Now now) {
  const auto found = trainers_.find(session);
  if (found == trainers_.end()) {
    return absl::NotFoundError(
        "the session is not known: the coordinator was restarted or the "
        "trainer was silent for too long; register again");
  }
  found->second.last_seen_s = now.steady_s;
  return &found->second;
}

bool Coordinator::IsLive(const Trainer& trainer, Now now) const {
  return now.steady_s - trainer.last_seen_s <= options_.lease_s;
}

bool Coordinator::IsWanted(const TrainerTask& task) const {
  if (task.request != 0) {
    const auto question = questions_.find(task.request);
    return question != questions_.end() && !question->second.answered &&
           question->second.failure.ok();
  }
  const auto fit = fits_.find(task.fit);
  return fit != fits_.end() && fit->second->record().stage == task.stage &&
         fit->second->WantedJob(1e300) == task.job;
}

bool Coordinator::IsLeased(int64_t fit) const {
  return std::any_of(
      trainer_leases_.begin(), trainer_leases_.end(), [&](const auto& entry) {
        return entry.second.fit == fit && entry.second.request == 0 &&
               IsWanted(entry.second);
      });
}

std::optional<TrainerTask> Coordinator::EndTrainerLease(
    const std::string& lease) {
  const auto found = trainer_leases_.find(lease);
  if (found == trainer_leases_.end()) return std::nullopt;
  TrainerTask task = std::move(found->second);
  trainer_leases_.erase(found);
  for (auto& [session, trainer] : trainers_) {
    if (trainer.lease != lease) continue;
    trainer.lease.clear();
    trainer.activity.clear();
  }
  if (const auto question = questions_.find(task.request);
      question != questions_.end() && question->second.lease == lease) {
    question->second.lease.clear();
  }
  return task;
}

void Coordinator::EndTrainerLeases(int64_t fit) {
  std::vector<std::string> ended;
  for (const auto& [lease, task] : trainer_leases_) {
    if (task.fit == fit && task.request == 0) ended.push_back(lease);
  }
  for (const std::string& lease : ended) EndTrainerLease(lease);
}

bool Coordinator::HasTrainerWork(Now now) const {
  for (const auto& [number, question] : questions_) {
    if (question.lease.empty() && IsWanted(question.task)) return true;
  }
  return std::any_of(fits_.begin(), fits_.end(), [&](const auto& entry) {
    return entry.second->WantedJob(now.steady_s) && !IsLeased(entry.first);
  });
}

bool Coordinator::LacksTrainer(Now now) const {
  return HasTrainerWork(now) && std::none_of(trainers_.begin(), trainers_.end(),
                                             [&](const auto& entry) {
                                               return IsLive(entry.second, now);
                                             });
}

absl::StatusOr<std::optional<TrainerTask>> Coordinator::LeaseTrainerTask(
    const std::string& session, Now now, Effects&) {
  SOMAFIT_ASSIGN_OR_RETURN(Trainer* const trainer, TouchTrainer(session, now));
  if (!trainer->lease.empty()) EndTrainerLease(std::string(trainer->lease));
  std::optional<TrainerTask> task;
  for (auto& [number, question] : questions_) {
    if (!question.lease.empty() || !IsWanted(question.task)) continue;
    task = question.task;
    task->lease = question.lease = new_lease_();
    break;
  }
  // Fits in turn.
  auto it = fits_.upper_bound(last_trained_fit_);
  for (size_t n = 0; !task && n < fits_.size(); ++n, ++it) {
    if (it == fits_.end()) it = fits_.begin();
    const FitRun& fit = *it->second;
    const std::optional<TrainerJob> job = fit.WantedJob(now.steady_s);
    if (!job || IsLeased(it->first)) continue;
    task = TrainerTask{.lease = new_lease_(),
                       .fit = it->first,
                       .title = fit.title(),
                       .stage = fit.record().stage,
                       .seed = fit.record().spec.seed,
                       .plan = fit.plan().inference,
                       .spec = *fit.record().spec.inference,
                       .job = *job,
                       .n_rounds = fit.n_rounds(),
                       .create_time_us = fit.record().create_time_us,
                       .n_samples = fit.record().next_sample,
                       .question = ""};
    last_trained_fit_ = it->first;
  }
  if (!task) return task;
  trainer->lease = task->lease;
  trainer_leases_[task->lease] = *task;
  return task;
}

absl::StatusOr<bool> Coordinator::TrainerHeartbeat(
    const std::string& session, const std::string& lease,
    const std::string& activity, std::vector<std::string> epochs, Now now,
    Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(Trainer* const trainer, TouchTrainer(session, now));
  if (lease.empty()) return false;
  trainer->activity = activity;
  const auto found = trainer_leases_.find(lease);
  if (found == trainer_leases_.end() || !IsWanted(found->second)) return true;
  if (found->second.request == 0) {
    NoteEpochs(found->second, std::move(epochs), effects);
  }
  return false;
}

absl::StatusOr<TrainerTask> Coordinator::FindTrainerTask(
    const std::string& session, const std::string& lease, Now now) {
  SOMAFIT_ASSIGN_OR_RETURN(Trainer* const trainer, TouchTrainer(session, now));
  const auto found = trainer_leases_.find(lease);
  if (trainer->lease != lease || found == trainer_leases_.end() ||
      !IsWanted(found->second)) {
    return NotWanted();
  }
  return found->second;
}

absl::StatusOr<TrainerTask> Coordinator::Finish(const std::string& session,
                                                const std::string& lease,
                                                Now now) {
  SOMAFIT_ASSIGN_OR_RETURN(TrainerTask task,
                           FindTrainerTask(session, lease, now));
  ++trainers_.at(session).tasks_done;
  EndTrainerLease(lease);
  return task;
}

absl::Status Coordinator::ReportTraining(const std::string& session,
                                         const std::string& lease,
                                         std::string estimators,
                                         std::string summary, Now now,
                                         Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask found,
                           FindTrainerTask(session, lease, now));
  if (found.request != 0 || found.job.kind != TrainerJob::Kind::kTrain) {
    return absl::InvalidArgumentError("the task did not ask for training");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask task, Finish(session, lease, now));
  fits_.at(task.fit)->FinishTraining(std::move(estimators), std::move(summary),
                                     now, effects);
  return absl::OkStatus();
}

absl::Status Coordinator::ReportDraws(const std::string& session,
                                      const std::string& lease,
                                      std::span<const double> theta, Now now,
                                      Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask found,
                           FindTrainerTask(session, lease, now));
  if (found.request != 0 || found.job.kind != TrainerJob::Kind::kDraw) {
    return absl::InvalidArgumentError("the task did not ask for draws");
  }
  SOMAFIT_RETURN_IF_ERROR(
      fits_.at(found.fit)->FinishDrawing(theta, now, effects));
  ++trainers_.at(session).tasks_done;
  EndTrainerLease(lease);
  return absl::OkStatus();
}

absl::Status Coordinator::ReportAnswer(const std::string& session,
                                       const std::string& lease,
                                       std::vector<std::string> answers,
                                       Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask found,
                           FindTrainerTask(session, lease, now));
  if (found.request == 0) {
    return absl::InvalidArgumentError("the task asked no question");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask task, Finish(session, lease, now));
  questions_.at(task.request).answered = true;
  questions_.at(task.request).answer = std::move(answers);
  effects.questions.push_back(task.request);
  return absl::OkStatus();
}

absl::Status Coordinator::ReportTrainerFailure(const std::string& session,
                                               const std::string& lease,
                                               const std::string& message,
                                               bool final, Now now,
                                               Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask task, Finish(session, lease, now));
  if (message.empty() && !final) {
    effects.trainer_work = true;
    return absl::OkStatus();
  }
  FailTrainerTask(task, message, final, now, effects);
  return absl::OkStatus();
}

void Coordinator::FailTrainerTask(const TrainerTask& task,
                                  const std::string& message, bool final,
                                  Now now, Effects& effects) {
  const std::string shown = message.substr(0, kMaxMessage);
  if (task.request == 0) {
    const auto fit = fits_.find(task.fit);
    if (fit != fits_.end() && IsWanted(task)) {
      fit->second->FailJob(shown, final, now, effects);
    }
    return;
  }
  const auto question = questions_.find(task.request);
  if (question == questions_.end()) return;
  if (final) {
    FailQuestion(task.request, absl::InvalidArgumentError(shown), effects);
  } else if (++question->second.attempts >= kMaxQuestionAttempts) {
    FailQuestion(
        task.request,
        absl::AbortedError(absl::StrCat("given up after ", kMaxQuestionAttempts,
                                        " attempts: ", shown)),
        effects);
  } else {
    effects.trainer_work = true;
  }
}

void Coordinator::FailQuestion(int64_t number, absl::Status why,
                               Effects& effects) {
  const auto found = questions_.find(number);
  if (found == questions_.end() || found->second.answered) return;
  found->second.failure = std::move(why);
  effects.questions.push_back(number);
}

absl::StatusOr<int64_t> Coordinator::AskPosterior(const std::string& name,
                                                  TrainerTask task, Now now,
                                                  Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* const fit, FindFit(name));
  const FitRecord& record = fit->record();
  if (!fit->learns()) {
    return absl::FailedPreconditionError(
        absl::StrCat(fit->title(),
                     " is a fit, which has no posterior; submit an inference"));
  }
  if (record.rounds == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(fit->title(),
                     " has no posterior before its first round has been "
                     "trained on; wait for it"));
  }
  const bool proposes = task.job.kind == TrainerJob::Kind::kDraw;
  if (task.job.round < 0) task.job.round = record.rounds - 1;
  if (task.job.round >= record.rounds + (proposes ? 1 : 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "round ", task.job.round, " of ", fit->title(),
        " has not been trained on; rounds 0 to ", record.rounds - 1, " have"));
  }
  size_t held = 0;
  for (const auto& [number, question] : questions_) {
    if (!question.answer) continue;
    for (const std::string& part : *question.answer) held += part.size();
  }
  if (questions_.size() >= kMaxQuestions || held > 4 * kMaxAnswerBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(questions_.size(),
                     " questions to posteriors wait already; ask again later"));
  }
  const int64_t number = ++last_question_;
  task.fit = record.id;
  task.title = fit->title();
  task.stage = record.stage;
  task.seed = record.spec.seed;
  task.n_rounds = task.plan->n_rounds;
  task.request = number;
  questions_[number] = {.task = std::move(task),
                        .lease = "",
                        .asked_s = now.steady_s,
                        .answered = false,
                        .answer = {},
                        .failure = absl::OkStatus()};
  effects.trainer_work = true;
  return number;
}

absl::StatusOr<std::optional<std::vector<std::string>>> Coordinator::TakeAnswer(
    int64_t question) {
  const auto found = questions_.find(question);
  if (found == questions_.end()) {
    return absl::NotFoundError("the question has ended");
  }
  SOMAFIT_RETURN_IF_ERROR(found->second.failure);
  return std::exchange(found->second.answer, std::nullopt);
}

void Coordinator::EndQuestion(int64_t question) { questions_.erase(question); }

std::vector<WorkerView> Coordinator::Trainers(Now now) const {
  std::vector<WorkerView> views;
  for (const auto& [session, trainer] : trainers_) {
    WorkerView view;
    view.name = trainer.hello.name;
    view.host = trainer.hello.host;
    view.version = trainer.hello.version;
    view.threads = 1;
    view.idle_s = std::max(0.0, now.steady_s - trainer.last_seen_s);
    view.tasks_done = trainer.tasks_done;
    const auto lease = trainer_leases_.find(trainer.lease);
    view.state = !IsLive(trainer, now)            ? "lost"
                 : lease == trainer_leases_.end() ? "idle"
                                                  : "busy";
    if (lease != trainer_leases_.end()) {
      const TrainerTask& task = lease->second;
      view.activity =
          absl::StrCat(task.title, " round ", task.job.round, ": ",
                       task.request != 0 ? "a question"
                       : task.job.kind == TrainerJob::Kind::kTrain ? "training"
                                                                   : "drawing",
                       trainer.activity.empty() ? "" : ", ", trainer.activity);
    }
    views.push_back(std::move(view));
  }
  return views;
}

void Coordinator::TickTrainers(Now now, Effects& effects) {
  std::vector<std::string> lost;
  bool any_live = false;
  for (const auto& [session, trainer] : trainers_) {
    const bool live = IsLive(trainer, now);
    any_live |= live;
    if (!live && !trainer.lease.empty()) lost.push_back(trainer.lease);
  }
  if (any_live) last_trainer_s_ = now.steady_s;
  for (const std::string& lease : lost) {
    if (const auto task = EndTrainerLease(lease)) {
      FailTrainerTask(*task, "the trainer fell silent", false, now, effects);
    }
  }
  // What is not wanted any more leaves its trainer free.
  std::erase_if(trainer_leases_, [&](const auto& entry) {
    if (IsWanted(entry.second)) return false;
    for (auto& [session, trainer] : trainers_) {
      if (trainer.lease == entry.first) trainer.lease.clear();
    }
    return true;
  });
  const double forget_s = std::max(3 * options_.lease_s, 60.0);
  std::erase_if(trainers_, [&](const auto& entry) {
    return entry.second.lease.empty() &&
           now.steady_s - entry.second.last_seen_s > forget_s;
  });
  for (auto& [number, question] : questions_) {
    if (any_live || question.answered || !question.failure.ok() ||
        now.steady_s - std::max(question.asked_s, last_trainer_s_) <
            kQuestionPatience) {
      continue;
    }
    FailQuestion(number,
                 absl::UnavailableError(
                     "no trainer is connected; start somafit-trainer"),
                 effects);
  }
  // Waiting trainers look again after a delay, or what was given up.
  effects.trainer_work |= !trainers_.empty() && HasTrainerWork(now);
}

}  // namespace somafit
