#include "worker/agent/agent.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "worker/core/base/fault.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Reports that wait to be sent; then the next task waits for them.
constexpr size_t kMaxReports = 4;
constexpr size_t kMaxFailure = 2000;

}  // namespace

Agent::Agent(AgentOptions options,
             LastingLinkTo<CoordinatorPort>::Connect connect)
    : options_(std::move(options)),
      bench_([this] {
        WorkbenchOptions bench = options_.bench;
        bench.threads = options_.link.identity.threads;
        return bench;
      }()),
      link_(options_.link, std::move(connect),
            [this] {
              // Whoever looked just before the stop waits by now.
              { std::lock_guard lock(mutex_); }
              changed_.notify_all();
            }),
      idle_since_(Clock::now()) {}

Agent::~Agent() = default;

absl::Status Agent::Run() {
  std::thread reporting([this] { SendReports(); });
  std::thread beating([this] { SendHeartbeats(); });
  std::thread leasing([this] { LeaseAhead(); });
  Work();
  leasing.join();
  ReleaseAhead();
  {
    std::lock_guard lock(mutex_);
    working_ = false;
  }
  changed_.notify_all();
  reporting.join();
  beating.join();
  return link_.failure();
}

void Agent::Stop() { link_.Stop(); }

void Agent::LeaseAhead() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return link_.stopping() || !ahead_; });
      if (link_.stopping()) return;
    }
    const absl::StatusOr<Link> link = link_.Connected(Patience::kUntilStop);
    if (!link.ok()) return;
    absl::StatusOr<std::vector<Task>> tasks =
        link->port->Lease(link->session.id, 1);
    if (!tasks.ok()) {
      // Whatever was leased by an answer that did not arrive ends with the
      // session, so a failed call always begins a new one.
      if (!link_.stopping()) link_.Lost(*link, tasks.status());
      continue;
    }
    if (tasks->empty()) continue;
    {
      std::lock_guard lock(mutex_);
      idle_ = false;
      held_[tasks->front().lease] = link->number;
      ahead_ = Leased{std::move(tasks->front()), *link};
    }
    changed_.notify_all();
  }
}

std::optional<Agent::Leased> Agent::NextTask() {
  std::optional<Leased> next;
  {
    std::unique_lock lock(mutex_);
    if (!ahead_ && !idle_) {
      idle_ = true;
      idle_since_ = Clock::now();
    }
    changed_.wait(lock, [this] { return link_.stopping() || ahead_; });
    if (link_.stopping()) return std::nullopt;
    next = std::exchange(ahead_, std::nullopt);
  }
  changed_.notify_all();
  return next;
}

void Agent::ReleaseAhead() {
  if (!ahead_) return;
  const Leased ahead = *std::exchange(ahead_, std::nullopt);
  LetGo(ahead.task.lease);
  // Best effort: otherwise the lease ends by itself.
  (void)ahead.link.port->Release(ahead.link.session.id, {ahead.task.lease});
}

void Agent::Work() {
  while (const std::optional<Leased> next = NextTask()) {
    Do(next->task, next->link);
  }
}

bool Agent::Unwanted(const std::string& lease) const {
  std::lock_guard lock(mutex_);
  return ended_.contains(lease) || link_.Ended(Patience::kUntilGraceEnds);
}

void Agent::LetGo(const std::string& lease) {
  std::lock_guard lock(mutex_);
  held_.erase(lease);
  ended_.erase(lease);
}

absl::StatusOr<std::shared_ptr<const Experiment>> Agent::Prepare(
    const Task& task, Link link) {
  while (true) {
    auto experiment = bench_.Prepare(task, *link.port);
    if (experiment.ok() || IsTheTasksFault(experiment.status())) {
      return experiment;
    }
    link_.Lost(link, experiment.status());
    SOMAFIT_ASSIGN_OR_RETURN(link, link_.Connected(Patience::kUntilStop));
  }
}

absl::Status Agent::Simulate(const Task& task, const Link& link,
                             TaskReport& report) {
  SOMAFIT_ASSIGN_OR_RETURN(const auto experiment, Prepare(task, link));
  // What fetching and compiling took says nothing about the next task.
  const auto begin = Clock::now();
  FaultPoint("worker_mid_task");
  const auto unwanted = [this, &task] { return Unwanted(task.lease); };
  if (task.recorded.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(report.evaluations,
                             bench_.Evaluate(*experiment, task, unwanted));
    report.microseconds = std::chrono::duration_cast<std::chrono::microseconds>(
                              Clock::now() - begin)
                              .count();
    return absl::OkStatus();
  }
  report.shape = ShapeOf(*experiment->dataset, task.recorded.size());
  SOMAFIT_ASSIGN_OR_RETURN(report.recordings,
                           bench_.Record(*experiment, task, unwanted));
  return absl::OkStatus();
}

void Agent::Do(const Task& task, const Link& link) {
  TaskReport report{.lease = task.lease,
                    .fit = task.fit,
                    .first_sample = task.first_sample,
                    .evaluations = {},
                    .shape = {},
                    .recordings = {},
                    .failure = ""};
  const absl::Status simulated = Simulate(task, link, report);
  if (absl::IsCancelled(simulated)) {
    const bool release = link_.stopping();
    LetGo(task.lease);
    spdlog::info("event=task_dropped fit={} first={} reason={}", task.fit,
                 task.first_sample, release ? "stopping" : "ended");
    // Best effort: otherwise the lease ends by itself.
    if (release) {
      (void)link.port->Release(link.session.id, {task.lease});
    }
    return;
  }
  if (!simulated.ok()) {
    report.failure = std::string(simulated.message()).substr(0, kMaxFailure);
    if (report.failure.empty()) report.failure = simulated.ToString();
    spdlog::warn("event=task_failed fit={} first={} reason=\"{}\"", task.fit,
                 task.first_sample, report.failure);
  }
  spdlog::debug("event=task_done fit={} round={} first={} samples={} us={}",
                task.fit, task.round, task.first_sample, task.points.size(),
                report.microseconds);
  Enqueue(std::move(report));
}

void Agent::Enqueue(TaskReport report) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return reports_.size() < kMaxReports; });
  reports_.push_back(std::move(report));
  changed_.notify_all();
}

void Agent::SendReports() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !working_ || !reports_.empty(); });
    if (reports_.empty()) return;
    TaskReport report = std::move(reports_.front());
    const std::string lease = report.lease;
    lock.unlock();
    Send(std::move(report));
    LetGo(lease);
    lock.lock();
    reports_.pop_front();
    changed_.notify_all();
  }
}

void Agent::Send(TaskReport report) {
  LastingLink::Backoff backoff(link_);
  while (true) {
    const absl::StatusOr<Link> link =
        link_.Connected(Patience::kUntilGraceEnds);
    if (!link.ok()) {
      spdlog::warn("event=report_dropped fit={} first={} reason=stopping",
                   report.fit, report.first_sample);
      return;
    }
    FaultPoint("worker_before_report");
    const absl::Status status = link->port->Report(link->session.id, report);
    if (status.ok()) return FaultPoint("worker_after_report");
    if (absl::IsResourceExhausted(status)) {
      // It has no room for it now; the connection is well.
      if (!backoff.Pause(Patience::kUntilGraceEnds)) return;
      continue;
    }
    if (IsRefusal(status)) {
      spdlog::warn("event=report_refused fit={} first={} reason=\"{}\"",
                   report.fit, report.first_sample,
                   std::string(status.message()));
      if (absl::IsInvalidArgument(status) && report.failure.empty()) {
        // Results that are refused once are refused always: that is an attempt,
        // or the task would come back for ever.
        report.failure = "the coordinator refused the results: " +
                         std::string(status.message()).substr(0, kMaxFailure);
        report.evaluations.clear();
        report.recordings.clear();
        continue;
      }
      // The fit is gone, or does not want these: nobody ever will.
      (void)link->port->Release(link->session.id, {report.lease});
      return;
    }
    link_.Lost(*link, status);
  }
}

void Agent::SendHeartbeats() {
  std::unique_lock lock(mutex_);
  while (working_ || !reports_.empty()) {
    const double every_s = link_.heartbeat_s();
    const auto period = std::chrono::duration<double>(std::min(every_s, 1.0));
    double waited_s = 0;
    while (waited_s < every_s && (working_ || !reports_.empty())) {
      changed_.wait_for(lock, period,
                        [this] { return !working_ && reports_.empty(); });
      waited_s += period.count();
      if (!reports_.empty()) idle_since_ = Clock::now();
      if (idle_ && options_.idle_exit_s && !link_.stopping() &&
          Clock::now() - idle_since_ >
              std::chrono::duration<double>(*options_.idle_exit_s)) {
        lock.unlock();
        spdlog::info("event=idle_exit after_s={}", *options_.idle_exit_s);
        Stop();
        lock.lock();
      }
    }
    const std::optional<Link> link = link_.current();
    if (!link) continue;
    std::vector<std::string> leases;
    for (const auto& [lease, number] : held_) {
      if (number == link->number) leases.push_back(lease);
    }
    lock.unlock();
    // A failure shows in the other threads' calls, which deal with it: what is
    // being computed stays wanted until somebody says otherwise.
    const auto ended = link->port->Heartbeat(link->session.id, leases);
    lock.lock();
    if (!ended.ok()) continue;
    for (const std::string& lease : *ended) {
      if (held_.contains(lease)) ended_.insert(lease);
    }
  }
}

}  // namespace somafit
