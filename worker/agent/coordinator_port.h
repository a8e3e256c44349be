#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/evaluation.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/data/recording.h"
#include "worker/core/data/task.h"
#include "worker/session/session_port.h"

namespace somafit {

// What a worker found: evaluations, or recordings if the task asked for them,
// of first_sample, first_sample + 1, ..., or why there are none.
struct TaskReport {
  std::string lease;
  std::string fit;
  int64_t first_sample = 0;
  std::vector<Evaluation> evaluations;
  RecordingShape shape;  // of each of these:
  std::vector<Recording> recordings;
  std::string failure;
  int64_t microseconds = 0;
};

// The coordinator as a worker sees it, over one connection.
class CoordinatorPort : public SessionPort {
 public:
  // Waits for work for some time; none if there was none. Cancelled after
  // StopWaiting.
  virtual absl::StatusOr<std::vector<Task>> Lease(const std::string& session,
                                                  int max_tasks) = 0;
  // Extends the session's leases; returns those of `leases` that have ended.
  virtual absl::StatusOr<std::vector<std::string>> Heartbeat(
      const std::string& session, const std::vector<std::string>& leases) = 0;
  // Returns once everything is durable.
  virtual absl::Status Report(const std::string& session,
                              const TaskReport& report) = 0;
  virtual absl::Status Release(const std::string& session,
                               const std::vector<std::string>& leases) = 0;
  // Both verify the hash (DataLoss).
  virtual absl::StatusOr<ModelSource> FetchModel(const std::string& hash) = 0;
  virtual absl::StatusOr<std::string> FetchDataset(const std::string& hash) = 0;
};

}  // namespace somafit
