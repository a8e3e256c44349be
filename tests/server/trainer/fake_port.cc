#include "tests/server/trainer/fake_port.h"

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {

class FakeTrainerPort final : public TrainerPort {
 public:
  explicit FakeTrainerPort(FakeTrainerCoordinator& all) : all_(all) {}

  absl::StatusOr<Session> Register(const Identity&) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    ++all_.registrations_;
    all_.changed_.notify_all();
    return Session{absl::StrCat("session", all_.registrations_), 0.15};
  }

  absl::StatusOr<std::optional<v1::TrainerTask>> Lease(
      const std::string&) override {
    std::unique_lock lock(all_.mutex_);
    all_.changed_.wait_for(lock, std::chrono::seconds(5), [this] {
      return stopped_ || !all_.tasks_.empty() || !all_.failure_.ok();
    });
    if (stopped_) return absl::CancelledError("stopped");
    if (!all_.failure_.ok()) return all_.failure_;
    std::optional<v1::TrainerTask> task;
    if (!all_.tasks_.empty()) {
      task = all_.tasks_.front();
      all_.tasks_.pop_front();
    }
    return task;
  }

  void StopWaiting() override {
    std::lock_guard lock(all_.mutex_);
    stopped_ = true;
    all_.changed_.notify_all();
  }

  absl::StatusOr<bool> Heartbeat(
      const TrainerLease& lease, const std::string& activity,
      const std::vector<v1::EpochReport>& epochs) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    all_.activities_.push_back(activity);
    all_.epochs_.insert(all_.epochs_.end(), epochs.begin(), epochs.end());
    all_.changed_.notify_all();
    return all_.ended_.contains(lease.lease);
  }

  absl::Status FetchSimulations(const TrainerLease&,
                                const BlockSink& sink) override {
    std::unique_lock lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    const auto blocks = all_.blocks_;
    lock.unlock();
    for (const v1::SimulationBlock& block : blocks) {
      SOMAFIT_RETURN_IF_ERROR(sink(block));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> FetchScript(const TrainerLease&) override {
    return absl::NotFoundError("there is no module");
  }
  absl::StatusOr<std::string> FetchEstimators(const TrainerLease&,
                                              int64_t round) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    const auto found = all_.estimators_.find(round);
    if (found == all_.estimators_.end()) {
      return absl::NotFoundError("no estimators of that round");
    }
    return found->second;
  }

  absl::StatusOr<std::string> FetchCheckpoint(const TrainerLease&,
                                              int member) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    const auto found = all_.checkpoints_.find(member);
    return found == all_.checkpoints_.end() ? "" : found->second;
  }
  absl::Status ReportCheckpoint(const TrainerLease&, int member,
                                const std::string& bytes) override {
    std::lock_guard lock(all_.mutex_);
    all_.checkpoints_[member] = bytes;
    return absl::OkStatus();
  }

  absl::Status ReportTraining(const TrainerLease& lease,
                              const v1::TrainingSummary& summary,
                              const std::string& estimators) override {
    return Report({.session = lease.session,
                   .lease = lease.lease,
                   .summary = summary,
                   .estimators = estimators,
                   .theta = {},
                   .answers = {},
                   .failure = ""});
  }
  absl::Status ReportDraws(const TrainerLease& lease,
                           const std::vector<std::string>&,
                           const std::vector<double>& theta) override {
    return Report({.session = lease.session,
                   .lease = lease.lease,
                   .summary = {},
                   .estimators = "",
                   .theta = theta,
                   .answers = {},
                   .failure = ""});
  }
  absl::Status ReportAnswer(
      const TrainerLease& lease,
      const std::vector<v1::PosteriorAnswer>& answers) override {
    return Report({.session = lease.session,
                   .lease = lease.lease,
                   .summary = {},
                   .estimators = "",
                   .theta = {},
                   .answers = answers,
                   .failure = ""});
  }
  absl::Status Release(const TrainerLease& lease) override {
    return ReportFailure(lease, "released", false);
  }
  absl::Status ReportFailure(const TrainerLease& lease,
                             const std::string& message, bool final) override {
    return Report({.session = lease.session,
                   .lease = lease.lease,
                   .summary = {},
                   .estimators = "",
                   .theta = {},
                   .answers = {},
                   .failure = message,
                   .final = final});
  }

 private:
  absl::Status Report(FakeTrainerCoordinator::Reported report) {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    if (!all_.refusal_.ok()) {
      return std::exchange(all_.refusal_, absl::OkStatus());
    }
    all_.reports_.push_back(std::move(report));
    all_.changed_.notify_all();
    return absl::OkStatus();
  }

  FakeTrainerCoordinator& all_;
  bool stopped_ = false;
};

std::shared_ptr<TrainerPort> FakeTrainerCoordinator::NewPort() {
  return std::make_shared<FakeTrainerPort>(*this);
}

void FakeTrainerCoordinator::Serve(std::vector<v1::SimulationBlock> blocks,
                                   std::map<int64_t, std::string> estimators) {
  std::lock_guard lock(mutex_);
  blocks_ = std::move(blocks);
  estimators_ = std::move(estimators);
}

void FakeTrainerCoordinator::Add(v1::TrainerTask task) {
  std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void FakeTrainerCoordinator::FailWith(absl::Status status) {
  std::lock_guard lock(mutex_);
  failure_ = std::move(status);
  changed_.notify_all();
}

void FakeTrainerCoordinator::RefuseReport(absl::Status status) {
  std::lock_guard lock(mutex_);
  refusal_ = std::move(status);
}

void FakeTrainerCoordinator::End(const std::string& lease) {
  std::lock_guard lock(mutex_);
  ended_.insert(lease);
}

bool FakeTrainerCoordinator::WaitForReports(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return reports_.size() >= count; });
}

bool FakeTrainerCoordinator::WaitForActivity(const std::string& text) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
    for (const std::string& one : activities_) {
      if (absl::StrContains(one, text)) return true;
    }
    return false;
  });
}

bool FakeTrainerCoordinator::WaitForRegistrations(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return registrations_ >= count; });
}

std::vector<FakeTrainerCoordinator::Reported>
FakeTrainerCoordinator::reports() {
  std::lock_guard lock(mutex_);
  return reports_;
}

std::vector<v1::EpochReport> FakeTrainerCoordinator::epochs() {
  std::lock_guard lock(mutex_);
  return epochs_;
}

size_t FakeTrainerCoordinator::heartbeats() {
  std::lock_guard lock(mutex_);
  return activities_.size();
}

}  // namespace somafit
