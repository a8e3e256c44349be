#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "worker/agent/coordinator_port.h"

namespace somafit {

// A coordinator that hands out what a test puts in, and remembers what came
// back. Connections to it may be cut. Thread-safe.
class FakeCoordinator {
 public:
  FakeCoordinator();

  // From now on, 100 000 steps instead of 50.
  void UseLongTraces();
  void UseEquations(const std::string& equations);
  std::shared_ptr<CoordinatorPort> NewPort();
  // A task of a passive membrane with these conductances [S].
  Task NewTask(const std::string& lease, std::vector<double> points);

  void Add(Task task);
  // All calls fail with this, until Ok is set.
  void FailWith(absl::Status status);
  // So do the next `times` reports.
  void RefuseReports(absl::Status status, int times);
  void End(const std::string& lease);
  void FetchTakes(double seconds);  // a model
  // Waits at most 10 s.
  bool WaitForReports(size_t count);
  bool WaitForRegistrations(size_t count);

  std::vector<TaskReport> reports();
  std::set<std::string> released();
  size_t registrations();
  size_t model_fetches();
  size_t tasks_left();     // not leased yet
  size_t stopped_waits();  // ports that were told to wait no longer

 private:
  friend class FakePort;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  absl::Status failure_, refusal_;
  int refusals_ = 0;
  std::vector<TaskReport> reports_;
  std::set<std::string> released_, ended_;
  size_t registrations_ = 0, model_fetches_ = 0, stopped_waits_ = 0;
  double fetch_s_ = 0;
  ModelSource model_;
  std::string dataset_;
};

}  // namespace somafit
