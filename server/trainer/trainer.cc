#include "server/trainer/trainer.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <spdlog/spdlog.h>

#include "proto/convert/digest.h"
#include "server/trainer/question_task.h"
#include "worker/core/base/fault.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxFailure = 2000;
constexpr size_t kMaxActivity = 200;
constexpr size_t kMostEpochs = 1000;  // of one heartbeat
constexpr int kAttempts = 5;

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

// Whether the coordinator was not reached; anything else is tried a few times.
bool IsOfTheWay(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsUnauthenticated(status);
}

// Whether every attempt would end the same way.
bool IsTheTasksFault(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ||
         absl::IsFailedPrecondition(status) || absl::IsDataLoss(status);
}

std::string Without(v1::TrainerTask task) {
  task.clear_lease();
  return task.SerializeAsString();
}

const char* KindOf(const v1::TrainerTask& task) {
  switch (task.kind_case()) {
    case v1::TrainerTask::kTrain:
      return "train";
    case v1::TrainerTask::kDraw:
      return "draw";
    case v1::TrainerTask::kAsk:
      return "ask";
    case v1::TrainerTask::KIND_NOT_SET:
      break;
  }
  return "unknown";
}

}  // namespace

Trainer::Trainer(TrainerOptions options,
                 LastingLinkTo<TrainerPort>::Connect connect)
    : options_(std::move(options)),
      link_(options_.link, std::move(connect)),
      idle_since_(Clock::now()) {}

Trainer::~Trainer() = default;

absl::Status Trainer::Run() {
  std::thread beating([this] { SendHeartbeats(); });
  Work();
  {
    std::lock_guard lock(mutex_);
    working_ = false;
  }
  changed_.notify_all();
  beating.join();
  return link_.failure();
}

void Trainer::Stop() { link_.Stop(); }

void Trainer::Work() {
  while (true) {
    const absl::StatusOr<Link> link = link_.Connected(Patience::kUntilStop);
    if (!link.ok()) return;
    const auto task = link->port->Lease(link->session.id);
    if (!task.ok()) {
      // Whatever was leased by an answer that did not arrive ends with the
      // session, so a failed call always begins a new one.
      if (!link_.stopping()) link_.Lost(*link, task.status());
      continue;
    }
    if (!task->has_value()) continue;
    {
      std::lock_guard lock(mutex_);
      lease_ = (*task)->lease();
      lease_link_ = link->number;
      ended_ = false;
      activity_.clear();
      epochs_.clear();
    }
    Do(**task, *link);
    std::lock_guard lock(mutex_);
    lease_.clear();
    idle_since_ = Clock::now();
  }
}

bool Trainer::Unwanted() const {
  std::lock_guard lock(mutex_);
  return ended_ || link_.Ended(Patience::kUntilGraceEnds);
}

absl::Status Trainer::Fetch(
    const Link& leased_over,
    const std::function<absl::Status(const Link&)>& call) {
  int attempts = 0;
  LastingLink::Backoff backoff(link_);
  while (true) {
    if (Unwanted()) return absl::CancelledError("no longer wanted");
    SOMAFIT_ASSIGN_OR_RETURN(const Link link,
                             link_.Connected(Patience::kUntilGraceEnds));
    const absl::Status status = call(link);
    if (status.ok() || absl::IsDataLoss(status)) return status;
    if (IsRefusal(status) && link.number != leased_over.number) {
      // A new session does not hold the lease; the task comes again.
      return absl::CancelledError("the lease was lost with its session");
    }
    if (IsRefusal(status) || (!IsOfTheWay(status) && ++attempts == kAttempts)) {
      return absl::AbortedError(
          absl::StrCat("the coordinator does not give what the task needs: ",
                       std::string(status.message())));
    }
    link_.Lost(link, status);
    (void)backoff.Pause(Patience::kUntilGraceEnds);
  }
}

TaskRun Trainer::RunOf(const v1::TrainerTask& task, const Link& link) {
  TaskRun run;
  run.threads = options_.link.identity.threads;
  run.say = [this](std::string activity) {
    std::lock_guard lock(mutex_);
    activity_ = std::move(activity);
    activity_.resize(std::min(activity_.size(), kMaxActivity));
  };
  run.report = [this](v1::EpochReport epoch) {
    std::lock_guard lock(mutex_);
    // Of a net of many epochs a second some are left out.
    if (epochs_.size() < kMostEpochs) epochs_.push_back(std::move(epoch));
  };
  run.cancelled = [this] { return Unwanted(); };
  run.fetch_simulations = [this, &task, &link](const BlockSink& sink) {
    bool begun = false;
    absl::Status refused;  // by the sink: the task's fault, not the way's
    const absl::Status status = Fetch(link, [&](const Link& over) {
      // A sink takes each block once; a stream that broke cannot be resumed.
      if (begun) return absl::InvalidArgumentError("the stream broke");
      const absl::Status fetched =
          over.port->FetchSimulations({over.session.id, task.lease()},
                                      [&](const v1::SimulationBlock& block) {
                                        begun = true;
                                        refused = sink(block);
                                        return refused;
                                      });
      return refused.ok() ? fetched : absl::OkStatus();
    });
    return refused.ok() ? status : refused;
  };
  run.fetch_estimators = [this, &task,
                          &link](int64_t round) -> absl::StatusOr<std::string> {
    std::string bytes;
    SOMAFIT_RETURN_IF_ERROR(Fetch(link, [&](const Link& over) -> absl::Status {
      SOMAFIT_ASSIGN_OR_RETURN(
          bytes,
          over.port->FetchEstimators({over.session.id, task.lease()}, round));
      return absl::OkStatus();
    }));
    return bytes;
  };
  run.fetch_checkpoint = [this, &task,
                          &link](int member) -> absl::StatusOr<std::string> {
    std::string bytes;
    SOMAFIT_RETURN_IF_ERROR(Fetch(link, [&](const Link& over) -> absl::Status {
      SOMAFIT_ASSIGN_OR_RETURN(
          bytes,
          over.port->FetchCheckpoint({over.session.id, task.lease()}, member));
      return absl::OkStatus();
    }));
    // That of a task with other options, or of other data, is none.
    const std::string mark = Sha256Hex(Without(task));
    return absl::StartsWith(bytes, mark) ? bytes.substr(mark.size()) : "";
  };
  run.allow_scripts = options_.allow_scripts;
  run.fetch_script = [this, &task, &link]() -> absl::StatusOr<std::string> {
    std::string bytes;
    SOMAFIT_RETURN_IF_ERROR(Fetch(link, [&](const Link& over) -> absl::Status {
      SOMAFIT_ASSIGN_OR_RETURN(
          bytes, over.port->FetchScript({over.session.id, task.lease()}));
      return absl::OkStatus();
    }));
    return bytes;
  };
  run.keep_checkpoint = [this, &task, &link](int member,
                                             const std::string& bytes) {
    const std::optional<Link> now = link_.current();
    if (!now || now->number != link.number) return;
    const absl::Status kept = now->port->ReportCheckpoint(
        {now->session.id, task.lease()}, member,
        absl::StrCat(Sha256Hex(Without(task)), bytes));
    if (kept.ok()) FaultPoint("trainer_after_checkpoint");
    spdlog::debug("event=checkpoint fit={} net={} bytes={} kept={}",
                  task.problem().fit(), member, bytes.size(), kept.ok());
  };
  run.checkpoint_s = options_.checkpoint_s;
  return run;
}

absl::StatusOr<Trainer::Result> Trainer::Perform(const v1::TrainerTask& task,
                                                 const TaskRun& run) {
  SOMAFIT_ASSIGN_OR_RETURN(const Problem problem, ReadProblem(task.problem()));
  switch (task.kind_case()) {
    case v1::TrainerTask::kTrain: {
      SOMAFIT_ASSIGN_OR_RETURN(
          TrainingOutcome outcome,
          DoTraining(problem, task.train(), posteriors_, run));
      return Result(std::move(outcome));
    }
    case v1::TrainerTask::kDraw: {
      SOMAFIT_ASSIGN_OR_RETURN(DrawOutcome outcome,
                               DoDraws(problem, task.draw(), posteriors_, run));
      return Result(std::move(outcome));
    }
    case v1::TrainerTask::kAsk: {
      SOMAFIT_ASSIGN_OR_RETURN(
          Answers answers, DoQuestion(problem, task.ask(), posteriors_, run));
      return Result(std::move(answers));
    }
    case v1::TrainerTask::KIND_NOT_SET:
      break;
  }
  return absl::UnimplementedError(
      "this trainer does not know such tasks: it may be older than the "
      "coordinator");
}

void Trainer::Do(const v1::TrainerTask& task, const Link& link) {
  const auto begin = Clock::now();
  const std::string same = Without(task);
  std::optional<Result> result;
  if (doubtful_ && doubtful_task_ == same) result = std::move(doubtful_);
  doubtful_.reset();
  if (!result) {
    absl::StatusOr<Result> done = absl::UnknownError("");
    const absl::Status status = CatchAsStatus("the trainer", [&] {
      FaultPoint("trainer_mid_task");
      done = Perform(task, RunOf(task, link));
      return done.status();
    });
    if (absl::IsCancelled(status)) {
      const bool stopped = link_.stopping();
      spdlog::info("event=task_dropped fit={} kind={} reason={}",
                   task.problem().fit(), KindOf(task),
                   stopped ? "stopping" : "ended");
      // Best effort: otherwise the lease ends by itself.
      if (stopped) {
        (void)link.port->Release({link.session.id, task.lease()});
      }
      return;
    }
    if (status.ok()) {
      result = *std::move(done);
    } else {
      std::string message =
          std::string(status.message()).substr(0, kMaxFailure);
      if (message.empty()) message = status.ToString();
      const bool final = IsTheTasksFault(status);
      spdlog::warn("event=task_failed fit={} kind={} final={} reason=\"{}\"",
                   task.problem().fit(), KindOf(task), final, message);
      result = Failure{std::move(message), final};
    }
  }
  spdlog::debug("event=task_done fit={} kind={} seconds={:.3f}",
                task.problem().fit(), KindOf(task),
                std::chrono::duration<double>(Clock::now() - begin).count());
  {
    // Whoever watches sees all epochs before the round's end.
    std::unique_lock lock(mutex_);
    if (!epochs_.empty()) Beat(lock);
  }
  const bool taken = Send(task.lease(), link, *result);
  if (!taken && (std::holds_alternative<TrainingOutcome>(*result) ||
                 std::holds_alternative<DrawOutcome>(*result))) {
    doubtful_task_ = same;
    doubtful_ = std::move(result);
  }
}

absl::Status Trainer::Report(const Link& link, const std::string& lease,
                             const Result& result) {
  const TrainerLease held{link.session.id, lease};
  TrainerPort& port = *link.port;
  return std::visit(Overloaded{[&](const TrainingOutcome& outcome) {
                                 return port.ReportTraining(
                                     held, outcome.summary, outcome.estimators);
                               },
                               [&](const DrawOutcome& outcome) {
                                 return port.ReportDraws(held, outcome.messages,
                                                         outcome.theta);
                               },
                               [&](const Answers& answers) {
                                 return port.ReportAnswer(held, answers);
                               },
                               [&](const Failure& failure) {
                                 return port.ReportFailure(
                                     held, failure.message, failure.final);
                               }},
                    result);
}

bool Trainer::Send(const std::string& lease, const Link& leased_over,
                   Result& result) {
  LastingLink::Backoff backoff(link_);
  int attempts = 0, exhausted = 0;
  while (true) {
    const absl::StatusOr<Link> link =
        link_.Connected(Patience::kUntilGraceEnds);
    if (!link.ok()) {
      spdlog::warn("event=report_dropped reason=stopping");
      return false;
    }
    FaultPoint("trainer_before_report");
    const absl::Status status = Report(*link, lease, result);
    if (status.ok()) FaultPoint("trainer_after_report");
    const bool same_link = link->number == leased_over.number;
    // Over another link an OK may mean that nobody waits for this lease.
    if (status.ok()) return same_link;
    if (absl::IsResourceExhausted(status)) {
      // It has no room for it now; the connection is well. Or the message is
      // too large, for ever.
      if (++exhausted == kAttempts || Unwanted()) {
        spdlog::warn("event=report_dropped reason=\"{}\"",
                     std::string(status.message()));
        if (std::holds_alternative<Failure>(result)) return false;
        result = Failure{
            absl::StrCat("the coordinator had no room: ",
                         std::string(status.message()).substr(0, kMaxFailure)),
            false};
        continue;
      }
      if (!backoff.Pause(Patience::kUntilGraceEnds)) return false;
      continue;
    }
    if (IsRefusal(status)) {
      spdlog::warn("event=report_refused reason=\"{}\"",
                   std::string(status.message()));
      if (absl::IsInvalidArgument(status) && same_link &&
          !std::holds_alternative<Failure>(result)) {
        // Results that are refused once are refused always.
        result = Failure{
            absl::StrCat("the coordinator refused the result: ",
                         std::string(status.message()).substr(0, kMaxFailure)),
            true};
        continue;
      }
      // The session is gone, or nobody wants this any more.
      if (absl::IsNotFound(status)) link_.Lost(*link, status);
      return false;
    }
    link_.Lost(*link, status);
    if (!IsOfTheWay(status) && ++attempts == kAttempts) {
      spdlog::warn("event=report_dropped reason=\"{}\"",
                   std::string(status.message()));
      return false;
    }
    if (!backoff.Pause(Patience::kUntilGraceEnds)) return false;
  }
}

void Trainer::CheckIdle(std::unique_lock<std::mutex>& lock) {
  if (!options_.idle_exit_s || link_.stopping() || !lease_.empty()) return;
  if (Clock::now() - idle_since_ <=
      std::chrono::duration<double>(*options_.idle_exit_s)) {
    return;
  }
  lock.unlock();
  spdlog::info("event=idle_exit after_s={}", *options_.idle_exit_s);
  Stop();
  lock.lock();
}

void Trainer::Beat(std::unique_lock<std::mutex>& lock) {
  // A lease of a session that was lost is nobody's: its result is computed
  // and offered all the same.
  const std::optional<Link> link = link_.current();
  if (!link || lease_.empty() || lease_link_ != link->number) return;
  const std::string lease = lease_, activity = activity_;
  const std::vector<v1::EpochReport> epochs = std::exchange(epochs_, {});
  lock.unlock();
  // A failure shows in the other thread's calls, which deal with it: what is
  // being computed stays wanted until somebody says otherwise.
  const auto ended =
      link->port->Heartbeat({link->session.id, lease}, activity, epochs);
  lock.lock();
  if (ended.ok() && *ended && lease_ == lease) ended_ = true;
}

void Trainer::SendHeartbeats() {
  std::unique_lock lock(mutex_);
  while (working_) {
    const double every_s = link_.heartbeat_s();
    const auto period =
        std::chrono::duration<double>(std::clamp(every_s, 0.01, 1.0));
    double waited_s = 0;
    // Epochs are told within a period.
    while (waited_s < every_s && working_ && epochs_.empty()) {
      changed_.wait_for(lock, period, [this] { return !working_; });
      waited_s += period.count();
      CheckIdle(lock);
    }
    if (waited_s == 0 && working_) {
      changed_.wait_for(lock, period, [this] { return !working_; });
    }
    Beat(lock);
  }
}

}  // namespace somafit
