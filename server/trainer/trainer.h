#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "server/trainer/posteriors.h"
#include "server/trainer/proposal_task.h"
#include "server/trainer/trainer_port.h"
#include "server/trainer/training_task.h"
#include "worker/session/lasting_link.h"

namespace somafit {

struct TrainerOptions {
  LinkOptions link;  // the threads of its identity: see TaskRun
  std::optional<double> idle_exit_s;  // stop when there was no task for so long
  double checkpoint_s = 30;           // see TaskRun
  bool allow_scripts = false;         // see TaskRun
};

// The trainer's loop: lease, train or draw or answer, report. One thread works,
// one sends heartbeats. It holds one task at a time: a question shall not wait
// behind a training here while another trainer is free. A coordinator that is
// away is waited for; what was computed meanwhile is reported when it is back,
// and once more should it hand out the same task again.
class Trainer {
 public:
  Trainer(TrainerOptions options, LastingLinkTo<TrainerPort>::Connect connect);
  ~Trainer();

  // Works until Stop, idleness, or an error that waiting does not cure: the
  // coordinator refuses this trainer (FailedPrecondition) or its token
  // (Unauthenticated). Call once.
  absl::Status Run();

  // Leases no more, finishes what is under way or gives it up when grace has
  // passed, and makes Run return. Thread-safe.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;

  using Link = LinkTo<TrainerPort>;

  struct Failure {
    std::string message;
    bool final = false;
  };
  using Answers = std::vector<v1::PosteriorAnswer>;
  using Result = std::variant<TrainingOutcome, DrawOutcome, Answers, Failure>;

  void Work();
  void Do(const v1::TrainerTask& task, const Link& link);
  absl::StatusOr<Result> Perform(const v1::TrainerTask& task,
                                 const TaskRun& run);
  TaskRun RunOf(const v1::TrainerTask& task, const Link& link);
  // Calls until the coordinator is reached; what it then refuses is Aborted.
  absl::Status Fetch(const Link& leased_over,
                     const std::function<absl::Status(const Link&)>& call);
  // False where the coordinator did not take it.
  bool Send(const std::string& lease, const Link& leased_over, Result& result);
  static absl::Status Report(const Link& link, const std::string& lease,
                             const Result& result);
  bool Unwanted() const;
  void SendHeartbeats();
  // One, of the task under way, with the epochs that were not told. Unlocks
  // meanwhile.
  void Beat(std::unique_lock<std::mutex>& lock);
  void CheckIdle(std::unique_lock<std::mutex>& lock);

  const TrainerOptions options_;
  LastingLinkTo<TrainerPort> link_;
  Posteriors posteriors_;  // of the thread that works
  // What was reported over another link than it was leased over, and its task
  // without the lease.
  std::string doubtful_task_;
  std::optional<Result> doubtful_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // The task under way.
  std::string lease_;  // empty: none
  int lease_link_ = 0;
  bool ended_ = false;
  std::string activity_;
  std::vector<v1::EpochReport> epochs_;  // that no heartbeat has told
  bool working_ = true;                  // Work has not returned
  Clock::time_point idle_since_;
};

}  // namespace somafit
