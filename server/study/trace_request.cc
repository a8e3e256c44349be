#include "server/study/trace_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"

namespace somafit {
namespace {

// Of the traces in one report, unless one point has more.
constexpr size_t kReportBytes = size_t{16} << 20;

size_t PointBytes(const TraceRequest::Order& order) {
  return (order.shape.size() + order.task.parameters.size()) * sizeof(double);
}

}  // namespace

size_t TraceRequest::BytesOf(const Order& order) {
  return order.task.points.size() * PointBytes(order);
}

TraceRequest::TraceRequest(Order order)
    : order_(std::move(order)), point_bytes_(PointBytes(order_)) {
  pending_.Add(
      {.first = 0, .count = static_cast<int64_t>(order_.task.points.size())});
}

size_t TraceRequest::bytes() const {
  return (order_.task.points.size() - static_cast<size_t>(next_)) *
         point_bytes_;
}

bool TraceRequest::HasReadyWork(double now_s) const {
  return failure_.ok() && pending_.HasReady(now_s);
}

bool TraceRequest::BecameReady(double from_s, double to_s) const {
  return failure_.ok() && pending_.BecameReady(from_s, to_s);
}

std::optional<SampleRange> TraceRequest::Take(int64_t n, double now_s) {
  const auto most = static_cast<int64_t>(kReportBytes / point_bytes_);
  return pending_.Take(std::min(n, std::max<int64_t>(most, 1)), now_s);
}

Task TraceRequest::TaskOf(const SampleRange& range) const {
  Task task;
  task.fit = order_.task.fit;
  task.first_sample = task.first_in_round = range.first;
  task.seed = order_.task.seed;
  task.first_realization = order_.task.first_realization + range.first;
  task.iteration = order_.task.iteration;
  task.n_in_round = std::ssize(order_.task.points);
  const auto first = order_.task.points.begin() + range.first;
  task.points.assign(first, first + range.count);
  task.model_hash = order_.task.model_hash;
  task.dataset_hash = order_.task.dataset_hash;
  task.dt = order_.task.dt;
  task.parameters = order_.task.parameters;
  task.metrics = order_.task.metrics;
  task.recorded = order_.task.recorded;
  return task;
}

void TraceRequest::Record(const SampleRange& range,
                          std::vector<Recording> recordings) {
  SOMAFIT_CHECK(std::cmp_equal(recordings.size(), range.count));
  for (size_t i = 0; i < recordings.size(); ++i) {
    SOMAFIT_CHECK(recordings[i].size() == order_.shape.size());
    recorded_[range.first + static_cast<int64_t>(i)] = std::move(recordings[i]);
  }
}

void TraceRequest::EndAttempt(SampleRange range, AttemptEnd end,
                              const std::string& message, double now_s) {
  if (end == AttemptEnd::kReleased) return pending_.Add(range);
  ++range.attempts;
  if (end != AttemptEnd::kFailed) {
    ++range.losses;
    if (range.losses >= 2 && range.count > 1) {
      // As in a round: one point may kill whoever simulates it. Here it only
      // has to be named, since no other point is of use without it.
      const int64_t half = range.count / 2;
      pending_.Add({.first = range.first, .count = half});
      pending_.Add({.first = range.first + half, .count = range.count - half});
      return;
    }
  }
  const bool may_give_up = end == AttemptEnd::kFailed || range.count == 1;
  if (range.attempts < std::max(order_.max_attempts, 1) || !may_give_up) {
    if (end == AttemptEnd::kFailed) {
      range.not_before_s = now_s + RetryDelay(range.attempts);
    }
    return pending_.Add(range);
  }
  const int64_t last = range.first + range.count - 1;
  Fail(absl::AbortedError(absl::StrCat(
      range.count == 1
          ? absl::StrCat("point ", range.first)
          : absl::StrCat("one of the points ", range.first, " to ", last),
      " could not be simulated, given up after ", range.attempts,
      range.attempts == 1 ? " attempt: " : " attempts: ", message)));
}

void TraceRequest::Fail(absl::Status why) {
  if (failure_.ok()) failure_ = std::move(why);
}

absl::StatusOr<std::optional<Recording>> TraceRequest::Next() {
  if (!failure_.ok()) return failure_;
  const auto found = recorded_.find(next_);
  if (found == recorded_.end()) return std::optional<Recording>();
  std::optional<Recording> recording = std::move(found->second);
  recorded_.erase(found);
  ++next_;
  return recording;
}

}  // namespace somafit
