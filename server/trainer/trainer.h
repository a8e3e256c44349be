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

namespace somafit {

struct TrainerOptions {
  TrainerIdentity identity;
  int threads = 1;                    // see TaskRun
  std::optional<double> idle_exit_s;  // stop when there was no task for so long
  double grace_s = 5;  // of a task under way, and of its report, after Stop
  double first_retry_s = 0.05;
  double last_retry_s = 5;
  // How long a token that worked may be refused: the endpoint file may be about
  // to be replaced.
  double token_patience_s = 60;
  bool allow_scripts = false;  // see TaskRun
};

// Reads where the coordinator is, anew each time.
using ConnectTrainer =
    std::function<absl::StatusOr<std::shared_ptr<TrainerPort>>()>;

// The trainer's loop: lease, train or draw or answer, report. One thread works,
// one sends heartbeats. It holds one task at a time: a question shall not wait
// behind a training here while another trainer is free. A coordinator that is
// away is waited for; what was computed meanwhile is reported when it is back,
// and once more should it hand out the same task again.
class Trainer {
 public:
  Trainer(TrainerOptions options, ConnectTrainer connect);
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

  // A connection with a session; valid until somebody finds it lost.
  struct Link {
    std::shared_ptr<TrainerPort> port;
    TrainerSession session;
    int number = 0;
  };
  enum class Patience { kUntilStop, kUntilGraceEnds };

  // The link, or a new one, however long that takes. Cancelled when patience
  // ends.
  absl::StatusOr<Link> Connected(Patience patience);
  absl::StatusOr<Link> TryToConnect();
  // What a failed attempt means: Ok to try again, else the end.
  absl::Status Judge(const absl::Status& failure);
  void Lost(const Link& link, const absl::Status& why);
  // False when patience has ended.
  bool Pause(double seconds, Patience patience);
  bool PatienceEnded(Patience patience) const;  // with the lock
  bool stopping() const;
  void Fail(const absl::Status& status);

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
  void CheckIdle(std::unique_lock<std::mutex>& lock);

  const TrainerOptions options_;
  const ConnectTrainer connect_;
  Posteriors posteriors_;  // of the thread that works
  // What was reported over another link than it was leased over, and its task
  // without the lease.
  std::string doubtful_task_;
  std::optional<Result> doubtful_;

  std::mutex connect_mutex_;  // held while connecting; before mutex_
  bool ever_connected_ = false;
  std::optional<Clock::time_point> refused_since_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Link> link_;
  int links_ = 0;
  // The task under way.
  std::string lease_;  // empty: none
  int lease_link_ = 0;
  bool ended_ = false;
  std::string activity_;
  bool working_ = true;  // Work has not returned
  Clock::time_point idle_since_;
  std::optional<Clock::time_point> stopped_at_;
  absl::Status failure_;
};

}  // namespace somafit
