#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "server/study/leases.h"
#include "worker/core/data/recording.h"
#include "worker/core/data/task.h"

namespace somafit {

// Limits of what one request may ask for, and of all that are open.
inline constexpr size_t kMaxTracePoints = 10'000;
inline constexpr size_t kMaxTraceOutputs = 64;
inline constexpr size_t kMaxTraceNumbers = size_t{16} << 20;
inline constexpr size_t kMaxTraceBytes = size_t{256} << 20;
inline constexpr size_t kMaxTraceRequests = 64;

// Points of a fit whose traces somebody waits for. Lives in memory only: what
// it was asked for goes when whoever asked does.
//
// A point is pending, in a worker's hands, recorded, or taken (sent on); they
// are taken in their order.
class TraceRequest {
 public:
  struct Order {
    int64_t fit = 0;
    // What a worker is told: `points` are all points; lease and first_sample
    // are still to be set.
    Task task;
    RecordingShape shape;
    int max_attempts = 1;
  };
  explicit TraceRequest(Order order);

  int64_t fit() const { return order_.fit; }
  const RecordingShape& shape() const { return order_.shape; }
  // What its points and recordings take, until they are taken.
  size_t bytes() const;
  static size_t BytesOf(const Order& order);

  int64_t pending() const { return pending_.count(); }
  bool HasReadyWork(double now_s) const;
  bool BecameReady(double from_s, double to_s) const;
  // At most `n` points, and no more than a report of 16 MiB holds; one point
  // always is.
  std::optional<SampleRange> Take(int64_t n, double now_s);
  // Those points as a task, without a lease.
  Task TaskOf(const SampleRange& range) const;
  // REQUIRES: one per point of `range`, of the right size, and `range` was
  // taken and neither recorded nor given back since.
  void Record(const SampleRange& range, std::vector<Recording> recordings);
  // Makes `range` pending again: split, delayed, or never again once its
  // attempts are used up; the request has then failed.
  void EndAttempt(SampleRange range, AttemptEnd end, const std::string& message,
                  double now_s);
  // Ends the request; the first reason stays.
  void Fail(absl::Status why);

  // The recording of the next point, if it is there. Aborted with the reason if
  // the request has failed.
  absl::StatusOr<std::optional<Recording>> Next();

 private:
  Order order_;
  size_t point_bytes_;
  PendingRanges pending_;
  std::map<int64_t, Recording> recorded_;
  int64_t next_ = 0;  // first point not taken
  absl::Status failure_;
};

}  // namespace somafit
