// What workers ask for.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/study/coordinator.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxWorkers = 10'000;
constexpr int kMaxThreads = 4096;
constexpr size_t kMaxText = 200;  // of what a worker says of itself
constexpr size_t kMaxFailureText = 2000;
// Points in one answer to Lease.
constexpr size_t kMaxGrantBytes = size_t{8} << 20;

std::string Cut(const std::string& text, size_t limit) {
  return text.size() <= limit ? text : text.substr(0, limit) + "...";
}

}  // namespace

std::string Coordinator::LeasePrefix(const FitRecord& fit) {
  return absl::StrCat(fit.create_time_us, "_", fit.id, "_");
}

absl::StatusOr<Coordinator::Session> Coordinator::Register(
    const WorkerHello& hello, Now now) {
  if (hello.numerics_version != kNumericsVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "worker \"", Cut(hello.name, kMaxText), "\" computes with numerics ",
        "version ", hello.numerics_version, ", this coordinator with version ",
        kNumericsVersion, "; install the same release on both"));
  }
  if (workers_.size() >= kMaxWorkers) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", kMaxWorkers,
        " workers already; those that fell silent are forgotten in time"));
  }
  std::string session = new_lease_();
  Worker& worker = workers_[session];
  worker.hello = hello;
  worker.hello.name = Cut(hello.name, kMaxText);
  worker.hello.host = Cut(hello.host, kMaxText);
  worker.hello.version = Cut(hello.version, kMaxText);
  worker.hello.threads = std::clamp(hello.threads, 1, kMaxThreads);
  worker.last_seen_s = now.steady_s;
  return Session{std::move(session), options_.lease_s};
}

absl::StatusOr<Coordinator::Worker*> Coordinator::Touch(
    const std::string& session, Now now) {
  const auto found = workers_.find(session);
  if (found == workers_.end()) {
    return absl::NotFoundError(
        "the session is not known: the coordinator was restarted or the worker "
        "was silent for too long; register again");
  }
  found->second.last_seen_s = now.steady_s;
  return &found->second;
}

bool Coordinator::IsLive(const Worker& worker, Now now) const {
  return now.steady_s - worker.last_seen_s <= options_.lease_s;
}

TaskRequest Coordinator::RequestOf(const FitRun& fit, const Worker& worker,
                                   Now now) const {
  const FitRecord& record = fit.record();
  const OpenRound& round = fit.current_round();
  TaskRequest request;
  request.pending = round.pending().count() + round.n_to_come();
  request.leased = round.n_open() - request.pending;
  for (const std::string& name : worker.leases) {
    const somafit::Lease& lease = leases_.at(name);
    if (lease.request == 0 && lease.fit == record.id &&
        round.Contains(lease.range.first)) {
      request.held += lease.range.count;
    }
  }
  request.threads = worker.hello.threads;
  request.limit = LargestTask(record.parameters.size(), record.outputs.size(),
                              record.n_traces, record.n_raw);
  double thread_speed = 1;
  if (const auto found = thread_speeds_.find(record.id);
      found != thread_speeds_.end()) {
    thread_speed = found->second.samples_per_s().value_or(1);
  }
  const auto speed_of = [&](const Worker& each) {
    const auto found = each.speeds.find(record.id);
    const auto own = found != each.speeds.end() ? found->second.samples_per_s()
                                                : std::nullopt;
    return own.value_or(thread_speed * each.hello.threads);
  };
  request.speed = speed_of(worker);
  request.measured = worker.speeds.contains(record.id);
  request.total_speed = 0;
  for (const auto& [session, each] : workers_) {
    if (IsLive(each, now)) request.total_speed += speed_of(each);
  }
  return request;
}

std::optional<Task> Coordinator::NextTask(const std::string& session,
                                          Worker& worker, Now now) {
  auto it = fits_.upper_bound(last_served_fit_);
  for (size_t i = 0; i < fits_.size(); ++i, ++it) {
    if (it == fits_.end()) it = fits_.begin();
    FitRun& fit = *it->second;
    if (!fit.HasReadyWork(now.steady_s)) continue;
    const int64_t n = TaskSize(RequestOf(fit, worker, now));
    if (n == 0) continue;
    const std::optional<SampleRange> range = fit.Take(n, now.steady_s);
    if (!range) continue;
    last_served_fit_ = it->first;
    return Grant(fit, *range, session, worker, now);
  }
  return std::nullopt;
}

Task Coordinator::Grant(FitRun& fit, const SampleRange& range,
                        const std::string& session, Worker& worker, Now now) {
  const OpenRound& round = fit.current_round();
  const FitPlan& plan = fit.plan();
  Task grant;
  grant.lease = LeasePrefix(fit.record()) + new_lease_();
  grant.fit = fit.title();
  grant.stage = round.record().stage;
  grant.round = round.record().round;
  grant.first_sample = grant.first_realization = range.first;
  grant.seed = plan.spec.seed;
  grant.iteration = fit.evaluating()
                        ? kAfterAllRounds
                        : plan.spec.start_iteration + round.record().round;
  grant.first_in_round = range.first - round.first();
  grant.n_in_round = round.size();
  grant.points.reserve(static_cast<size_t>(range.count));
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    grant.points.push_back(round.point(s));
    if (!round.limits().empty()) {
      grant.limits.push_back(
          round.limits()[static_cast<size_t>(s - round.first())]);
    }
  }
  grant.model_hash = plan.model_hash;
  grant.dataset_hash = plan.spec.dataset;
  grant.dt = plan.dt;
  for (const Parameter& parameter : plan.space.parameters()) {
    grant.parameters.push_back(parameter.name);
  }
  grant.metrics = plan.metrics;
  grant.penalty = plan.spec.penalty;
  if (plan.spec.inference) grant.features = plan.spec.inference->features;
  leases_[grant.lease] = {.session = session,
                          .fit = fit.record().id,
                          .range = range,
                          .granted_s = now.steady_s,
                          .waits = !worker.leases.empty()};
  worker.leases.insert(grant.lease);
  return grant;
}

absl::StatusOr<std::vector<Task>> Coordinator::Lease(const std::string& session,
                                                     int max_tasks, Now now,
                                                     Effects&) {
  SOMAFIT_ASSIGN_OR_RETURN(Worker* const worker, Touch(session, now));
  std::vector<Task> grants;
  size_t bytes = 0;
  while (static_cast<int>(grants.size()) < std::clamp(max_tasks, 1, 64) &&
         bytes < kMaxGrantBytes) {
    std::optional<Task> task = TraceTask(session, *worker, now);
    if (!task) task = NextTask(session, *worker, now);
    // It was the turn of a round, which has nothing for this worker.
    if (!task) task = TraceTask(session, *worker, now);
    if (!task) break;
    bytes += task->points.size() * (task->parameters.size() * 8 + 16);
    grants.push_back(*std::move(task));
  }
  return grants;
}

bool Coordinator::HasReadyWork(Now now) const {
  const auto has = [&](const auto& entry) {
    return entry.second->HasReadyWork(now.steady_s);
  };
  return std::any_of(fits_.begin(), fits_.end(), has) ||
         std::any_of(trace_requests_.begin(), trace_requests_.end(),
                     [&](const auto& entry) {
                       return entry.second.HasReadyWork(now.steady_s);
                     });
}

absl::StatusOr<std::vector<std::string>> Coordinator::Heartbeat(
    const std::string& session, const std::vector<std::string>& leases, Now now,
    Effects&) {
  SOMAFIT_ASSIGN_OR_RETURN(Worker* const worker, Touch(session, now));
  std::vector<std::string> ended;
  for (const std::string& lease : leases) {
    if (!worker->leases.contains(lease)) ended.push_back(lease);
  }
  return ended;
}

void Coordinator::EndLease(const std::string& name, AttemptEnd end,
                           const std::string& message, Now now,
                           Effects& effects) {
  const auto found = leases_.find(name);
  if (found == leases_.end()) return;
  const somafit::Lease lease = std::move(found->second);
  leases_.erase(found);
  if (const auto worker = workers_.find(lease.session);
      worker != workers_.end()) {
    worker->second.leases.erase(name);
  }
  if (lease.request != 0) {
    const auto request = trace_requests_.find(lease.request);
    if (request == trace_requests_.end()) return;
    request->second.EndAttempt(lease.range, end, message, now.steady_s);
    effects.work_available = true;
    effects.trace_requests.push_back(lease.request);
    return;
  }
  if (const auto fit = fits_.find(lease.fit); fit != fits_.end()) {
    fit->second->EndAttempt(lease.range, end, message, now, effects);
  }
}

void Coordinator::DropUnwantedLeases(int64_t fit) {
  const auto found = fits_.find(fit);
  if (found == fits_.end() || HasEnded(found->second->record().state)) {
    thread_speeds_.erase(fit);
    for (auto& [session, worker] : workers_) worker.speeds.erase(fit);
  }
  std::erase_if(leases_, [&](const auto& entry) {
    const auto& [name, lease] = entry;
    if (lease.fit != fit) return false;
    if (lease.request != 0 && found != fits_.end()) return false;
    if (found != fits_.end() && found->second->IsWanted(lease.range)) {
      return false;
    }
    if (const auto worker = workers_.find(lease.session);
        worker != workers_.end()) {
      worker->second.leases.erase(name);
    }
    return true;
  });
}

void Coordinator::LearnSpeed(Worker& worker, const somafit::Lease& lease,
                             int64_t microseconds) {
  const double seconds = static_cast<double>(microseconds) * 1e-6;
  worker.speeds[lease.fit].Add(lease.range.count, seconds);
  thread_speeds_[lease.fit].Add(lease.range.count,
                                seconds * worker.hello.threads);
}

absl::StatusOr<int64_t> Coordinator::ReportResults(Report report, Now now,
                                                   Effects& effects) {
  std::string worker_name;
  const auto worker = workers_.find(report.session);
  if (worker != workers_.end()) {
    worker->second.last_seen_s = now.steady_s;
    worker_name = worker->second.hello.name;
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitRun* const fit, FindFit(report.fit));
  const FitRecord& record = fit->record();
  if (!report.lease.starts_with(LeasePrefix(record))) {
    return absl::NotFoundError(absl::StrCat(
        "the task was leased for another fit that was named ", fit->title()));
  }
  const size_t n_outputs = record.outputs.size();
  for (const RecordedSample& sample : report.samples) {
    const Evaluation& e = sample.evaluation;
    const bool is_result =
        e.status == SampleStatus::kOk || e.status == SampleStatus::kNonfinite ||
        e.status == SampleStatus::kFailed ||
        (e.status == SampleStatus::kAbandoned && record.spec.execution.abandon);
    if (!is_result) {
      return absl::InvalidArgumentError(
          absl::StrCat("sample ", sample.sample, " is reported as ",
                       std::string(SampleStatusName(e.status)),
                       "; a result is ok, nonfinite or failed, or abandoned "
                       "where its fit allows that"));
    }
    if (e.output_errors.size() != n_outputs ||
        e.output_errors_normalized.size() != n_outputs ||
        e.trace_errors.size() != n_outputs * record.n_traces) {
      return absl::InvalidArgumentError(absl::StrCat(
          "sample ", sample.sample, " has ", e.output_errors.size(), ", ",
          e.output_errors_normalized.size(), " and ", e.trace_errors.size(),
          " errors per output, normalized and per trace; ", fit->title(),
          " has ", n_outputs, " outputs and ", record.n_traces, " traces"));
    }
  }
  const auto lease = leases_.find(report.lease);
  if (lease != leases_.end() && lease->second.request != 0 &&
      report.failure.empty()) {
    return absl::InvalidArgumentError(
        "the task asked for traces, not for errors; report traces");
  }
  // The first report of a task tells its time, a later part of it does not.
  if (worker != workers_.end() &&
      worker->second.leases.contains(report.lease) && report.failure.empty() &&
      report.microseconds > 0) {
    LearnSpeed(worker->second, lease->second, report.microseconds);
  }
  const auto n_samples = static_cast<int64_t>(report.samples.size());
  const int64_t already = fit->Record(worker_name, report.microseconds,
                                      std::move(report.samples), now, effects);
  const int64_t recorded = n_samples - already;
  if (worker != workers_.end() && recorded > 0) {
    ++worker->second.tasks_done;
    worker->second.samples_done += recorded;
  }
  // What was left to this worker, since it held so much, may be due now.
  effects.work_available |= fit->HasReadyWork(now.steady_s);
  if (lease == leases_.end() || lease->second.fit != record.id) return already;
  // What a report leaves out is tried again; that counts as an attempt unless
  // there was progress.
  if (!report.failure.empty()) {
    EndLease(report.lease, AttemptEnd::kFailed,
             Cut(report.failure, kMaxFailureText), now, effects);
  } else if (recorded > 0) {
    EndLease(report.lease, AttemptEnd::kReleased, "", now, effects);
  } else {
    EndLease(report.lease, AttemptEnd::kFailed,
             "the worker reported none of the task's samples", now, effects);
  }
  return already;
}

absl::Status Coordinator::Release(const std::string& session,
                                  const std::vector<std::string>& leases,
                                  Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(Worker* const worker, Touch(session, now));
  for (const std::string& lease : leases) {
    if (!worker->leases.contains(lease)) continue;
    EndLease(lease, AttemptEnd::kReleased, "", now, effects);
  }
  return absl::OkStatus();
}

std::vector<WorkerView> Coordinator::Workers(Now now) const {
  std::vector<WorkerView> views;
  for (const auto& [session, worker] : workers_) {
    WorkerView view;
    view.name = worker.hello.name;
    view.host = worker.hello.host;
    view.version = worker.hello.version;
    view.threads = worker.hello.threads;
    view.tasks_done = worker.tasks_done;
    view.samples_done = worker.samples_done;
    view.idle_s = std::max(0.0, now.steady_s - worker.last_seen_s);
    view.state = !IsLive(worker, now)    ? "lost"
                 : worker.leases.empty() ? "idle"
                                         : "busy";
    std::map<std::string, int64_t> samples;  // by fit and round
    for (const std::string& name : worker.leases) {
      const somafit::Lease& lease = leases_.at(name);
      const FitRun& fit = *fits_.at(lease.fit);
      if (lease.request != 0) {
        samples[absl::StrCat(fit.title(), " traces")] += lease.range.count;
        continue;
      }
      const OpenRound* round = nullptr;
      for (int64_t s = lease.range.first;
           s < lease.range.first + lease.range.count && !round; ++s) {
        round = fit.RoundOf(s);
      }
      if (round == nullptr) continue;
      samples[absl::StrCat(fit.title(), " round ", round->record().round)] +=
          lease.range.count;
    }
    view.activity =
        absl::StrJoin(samples, "; ", [](std::string* out, const auto& entry) {
          absl::StrAppend(out, entry.first, ", ", entry.second,
                          entry.second == 1 ? " sample" : " samples");
        });
    views.push_back(std::move(view));
  }
  std::sort(views.begin(), views.end(),
            [](const WorkerView& a, const WorkerView& b) {
              return std::tie(a.name, a.host) < std::tie(b.name, b.host);
            });
  return views;
}

}  // namespace somafit
