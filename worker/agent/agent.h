#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"

#include "worker/agent/coordinator_port.h"
#include "worker/agent/workbench.h"
#include "worker/session/lasting_link.h"

namespace somafit {

struct AgentOptions {
  WorkbenchOptions bench;  // its threads are those of the link's identity
  LinkOptions link;
  std::optional<double> idle_exit_s;  // stop when there was no task for so long
};

// The worker's loop: lease, simulate, report. One thread leases, one simulates
// (on more of them), one reports, one sends heartbeats. While a task is
// simulated the next one is leased, at most one ahead, so that no call to the
// coordinator is waited for between two tasks. A coordinator that is
// away is waited for, and what was computed meanwhile is reported when it is
// back.
class Agent {
 public:
  Agent(AgentOptions options, LastingLinkTo<CoordinatorPort>::Connect connect);
  ~Agent();

  // Works until Stop, idleness, or an error that waiting does not cure: the
  // coordinator refuses this worker (FailedPrecondition) or its token
  // (Unauthenticated). Call once.
  absl::Status Run();

  // Leases no more, finishes or releases what is held, and makes Run return.
  // Thread-safe.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;

  using Link = LinkTo<CoordinatorPort>;

  // A task and the link over which it was leased.
  struct Leased {
    Task task;
    Link link;
  };
  void LeaseAhead();
  void Work();
  // Waits for it; nullopt when the agent stops.
  std::optional<Leased> NextTask();
  // Gives back what was leased and not begun.
  void ReleaseAhead();
  void Do(const Task& task, const Link& link);
  absl::StatusOr<std::shared_ptr<const Experiment>> Prepare(const Task& task,
                                                            Link link);
  // What `task` asks for, into `report`.
  absl::Status Simulate(const Task& task, const Link& link, TaskReport& report);
  bool Unwanted(const std::string& lease) const;
  void LetGo(const std::string& lease);

  void Enqueue(TaskReport report);
  void SendReports();
  void Send(TaskReport report);
  void SendHeartbeats();

  const AgentOptions options_;
  Workbench bench_;  // of the thread that works
  LastingLinkTo<CoordinatorPort> link_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Leased> ahead_;      // leased, not begun
  std::map<std::string, int> held_;  // lease -> number of its link
  std::set<std::string> ended_;      // leases among held_ to be given up
  std::deque<TaskReport> reports_;
  bool working_ = true;  // Work has not returned
  bool idle_ = true;
  Clock::time_point idle_since_;
};

}  // namespace somafit
