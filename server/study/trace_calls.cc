// What people ask for in traces, and how workers answer.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/coordinator.h"
#include "worker/core/base/status.h"

namespace somafit {

absl::StatusOr<int64_t> Coordinator::RequestTraces(const std::string& name,
                                                   TraceRequest::Order order,
                                                   Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* fit, FindFit(name));
  const size_t n_points = order.task.points.size();
  if (n_points == 0 || n_points > kMaxTracePoints) {
    return absl::InvalidArgumentError(
        absl::StrCat("traces of ", n_points,
                     " points are asked for; give 1 to ", kMaxTracePoints));
  }
  const size_t numbers = n_points * order.shape.size();
  if (numbers > kMaxTraceNumbers) {
    return absl::InvalidArgumentError(absl::StrCat(
        n_points, " points x ", order.shape.n_traces(), " traces x ",
        order.shape.n_outputs(), " outputs are ", numbers,
        " numbers, but one request may ask for ", kMaxTraceNumbers,
        " at most; ask for fewer points or outputs"));
  }
  size_t held = 0;
  for (const auto& [id, request] : trace_requests_) held += request.bytes();
  const size_t wanted = TraceRequest::BytesOf(order);
  if (trace_requests_.size() >= kMaxTraceRequests ||
      held + wanted > kMaxTraceBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        trace_requests_.size(), " requests for traces hold ", held,
        " bytes; with ", wanted, " more there would be over ",
        kMaxTraceRequests, " requests or ", kMaxTraceBytes,
        " bytes; ask for fewer points or outputs, or when others have ended"));
  }
  order.fit = fit->record().id;
  order.task.fit = fit->title();
  order.max_attempts = fit->record().spec.execution.max_attempts;
  const int64_t id = ++last_trace_request_;
  trace_requests_.emplace(id, TraceRequest(std::move(order)));
  effects.work_available = true;
  return id;
}

absl::StatusOr<std::optional<Recording>> Coordinator::NextRecording(
    int64_t request) {
  const auto found = trace_requests_.find(request);
  if (found == trace_requests_.end()) {
    return absl::NotFoundError("the request for traces has ended");
  }
  return found->second.Next();
}

void Coordinator::EndTraceRequest(int64_t request) {
  trace_requests_.erase(request);
  std::erase_if(leases_, [&](const auto& entry) {
    const auto& [name, lease] = entry;
    if (lease.request != request) return false;
    if (const auto worker = workers_.find(lease.session);
        worker != workers_.end()) {
      worker->second.leases.erase(name);
    }
    return true;
  });
}

void Coordinator::FailTraceRequests(int64_t fit, const absl::Status& why,
                                    Effects& effects) {
  for (auto& [id, request] : trace_requests_) {
    if (request.fit() != fit) continue;
    request.Fail(why);
    effects.trace_requests.push_back(id);
  }
}

std::optional<Task> Coordinator::TraceTask(const std::string& session,
                                           Worker& worker, Now now) {
  auto it = trace_requests_.upper_bound(last_served_request_);
  for (size_t i = 0; i < trace_requests_.size(); ++i, ++it) {
    if (it == trace_requests_.end()) it = trace_requests_.begin();
    if (it->second.HasReadyWork(now.steady_s)) break;
    if (i + 1 == trace_requests_.size()) return std::nullopt;
  }
  if (trace_requests_.empty()) return std::nullopt;
  // Rounds and traces in turn, where there is work of both kinds.
  const bool round_waits =
      std::any_of(fits_.begin(), fits_.end(), [&](const auto& entry) {
        return entry.second->HasReadyWork(now.steady_s);
      });
  served_traces_ = !served_traces_ || !round_waits;
  if (!served_traces_) return std::nullopt;
  auto& [id, request] = *it;
  last_served_request_ = id;
  // How long traces take is not measured: shares go by threads.
  TaskRequest wanted;
  wanted.pending = request.pending();
  wanted.threads = worker.hello.threads;
  wanted.speed = worker.hello.threads;
  wanted.total_speed = 0;
  for (const auto& [other_session, other] : workers_) {
    if (IsLive(other, now)) wanted.total_speed += other.hello.threads;
  }
  wanted.limit = kMaxTracePoints;
  const auto range = request.Take(TaskSize(wanted), now.steady_s);
  if (!range) return std::nullopt;
  Task task = request.TaskOf(*range);
  task.lease = LeasePrefix(fits_.at(request.fit())->record()) + new_lease_();
  leases_[task.lease] = {.session = session,
                         .fit = request.fit(),
                         .range = *range,
                         .granted_s = now.steady_s,
                         .request = id,
                         .waits = !worker.leases.empty()};
  worker.leases.insert(task.lease);
  return task;
}

absl::StatusOr<Coordinator::WantedTraces> Coordinator::TracesWanted(
    const std::string& session, const std::string& lease, Now now) {
  // A session that ended since is no reason to refuse what was computed.
  (void)Touch(session, now);
  const auto found = leases_.find(lease);
  if (found == leases_.end()) {
    return absl::NotFoundError(
        "nobody waits for these traces: the request or the lease has ended");
  }
  if (found->second.request == 0) {
    return absl::InvalidArgumentError(
        "the task asked for errors, not for traces; report results");
  }
  const SampleRange& range = found->second.range;
  return WantedTraces{trace_requests_.at(found->second.request).shape(),
                      range.first, range.count};
}

absl::Status Coordinator::ReportTraces(const std::string& session,
                                       const std::string& lease,
                                       std::vector<Recording> recordings,
                                       Now now, Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(const WantedTraces wanted,
                           TracesWanted(session, lease, now));
  if (!std::cmp_equal(recordings.size(), wanted.count) ||
      std::any_of(recordings.begin(), recordings.end(),
                  [&](const Recording& recording) {
                    return recording.size() != wanted.shape.size();
                  })) {
    return absl::InvalidArgumentError(
        absl::StrCat("the task asked for ", wanted.count, " points with ",
                     wanted.shape.size(), " numbers each; ", recordings.size(),
                     " points or another size came"));
  }
  const auto found = leases_.find(lease);
  const somafit::Lease held = found->second;
  leases_.erase(found);
  if (const auto owner = workers_.find(held.session); owner != workers_.end()) {
    owner->second.leases.erase(lease);
    ++owner->second.tasks_done;
    owner->second.samples_done += wanted.count;
  }
  trace_requests_.at(held.request).Record(held.range, std::move(recordings));
  effects.trace_requests.push_back(held.request);
  return absl::OkStatus();
}

}  // namespace somafit
