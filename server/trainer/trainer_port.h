#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/trainer/task_run.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/session/session_port.h"

namespace somafit {

// A lease and the session that it was given to.
struct TrainerLease {
  std::string session, lease;
};

// The coordinator as a trainer sees it, over one connection.
class TrainerPort : public SessionPort {
 public:
  // Waits for work for some time; nullopt if there was none. Cancelled after
  // StopWaiting.
  virtual absl::StatusOr<std::optional<v1::TrainerTask>> Lease(
      const std::string& session) = 0;
  // Extends the lease; true where the task is no longer wanted.
  // `epochs`: those since the heartbeat before.
  virtual absl::StatusOr<bool> Heartbeat(
      const TrainerLease& lease, const std::string& activity,
      const std::vector<v1::EpochReport>& epochs) = 0;

  // What a sink refuses is returned as it is.
  virtual absl::Status FetchSimulations(const TrainerLease& lease,
                                        const BlockSink& sink) = 0;
  virtual absl::StatusOr<std::string> FetchEstimators(const TrainerLease& lease,
                                                      int64_t round) = 0;

  // Of a net of the training that the task is; "": nothing was kept.
  virtual absl::StatusOr<std::string> FetchCheckpoint(const TrainerLease& lease,
                                                      int member) = 0;
  virtual absl::Status ReportCheckpoint(const TrainerLease& lease, int member,
                                        const std::string& bytes) = 0;
  virtual absl::StatusOr<std::string> FetchScript(
      const TrainerLease& lease) = 0;

  // All return once the result is durable.
  virtual absl::Status ReportTraining(const TrainerLease& lease,
                                      const v1::TrainingSummary& summary,
                                      const std::string& estimators) = 0;
  virtual absl::Status ReportDraws(const TrainerLease& lease,
                                   const std::vector<std::string>& messages,
                                   const std::vector<double>& theta) = 0;
  virtual absl::Status ReportAnswer(
      const TrainerLease& lease,
      const std::vector<v1::PosteriorAnswer>& answers) = 0;
  // Gives the task back: no attempt is counted.
  virtual absl::Status Release(const TrainerLease& lease) = 0;
  virtual absl::Status ReportFailure(const TrainerLease& lease,
                                     const std::string& message,
                                     bool final) = 0;
};

}  // namespace somafit
