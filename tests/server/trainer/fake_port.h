#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "server/trainer/trainer_port.h"

namespace somafit {

// A coordinator that hands out what a test puts in, and remembers what came
// back. Connections to it may be cut. Thread-safe.
class FakeTrainerCoordinator {
 public:
  struct Reported {
    std::string session, lease;
    v1::TrainingSummary summary;
    std::string estimators;
    std::vector<double> theta;
    std::vector<v1::PosteriorAnswer> answers;
    std::string failure;
    bool final = false;
  };

  std::shared_ptr<TrainerPort> NewPort();
  void Serve(std::vector<v1::SimulationBlock> blocks,
             std::map<int64_t, std::string> estimators);
  void Add(v1::TrainerTask task);
  // All calls fail with this, until Ok is set.
  void FailWith(absl::Status status);
  // The next report fails with this.
  void RefuseReport(absl::Status status);
  void End(const std::string& lease);
  // Waits at most 20 s.
  bool WaitForReports(size_t count);
  // For an activity that holds `text`.
  bool WaitForActivity(const std::string& text);
  bool WaitForRegistrations(size_t count);

  std::vector<Reported> reports();
  size_t heartbeats();
  std::vector<v1::EpochReport> epochs();  // told by heartbeats

 private:
  friend class FakeTrainerPort;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::SimulationBlock> blocks_;
  std::map<int64_t, std::string> estimators_;
  std::deque<v1::TrainerTask> tasks_;
  absl::Status failure_, refusal_;
  std::vector<Reported> reports_;
  std::vector<std::string> activities_;
  std::vector<v1::EpochReport> epochs_;
  std::map<int, std::string> checkpoints_;
  std::set<std::string> ended_;
  size_t registrations_ = 0;
};

}  // namespace somafit
