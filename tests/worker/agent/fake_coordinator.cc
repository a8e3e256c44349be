#include "tests/worker/agent/fake_coordinator.h"

#include <chrono>
#include <thread>

#include "worker/core/data/dataset.h"
#include "worker/core/units/unit.h"

namespace somafit {

namespace {

std::string ExampleDataset(size_t n_steps) {
  Dataset dataset;
  dataset.inputs = {{"I", FindUnit("amp")->dimension}};
  dataset.outputs = {{"v", FindUnit("volt")->dimension}};
  dataset.traces = {{.dt = 1e-4,
                     .weight = 1,
                     .inputs = {std::vector<double>(n_steps, 5e-10)},
                     .targets = {std::vector<double>(n_steps, -0.06)}}};
  return EncodeDataset(dataset);
}

}  // namespace

class FakePort final : public CoordinatorPort {
 public:
  explicit FakePort(FakeCoordinator& all) : all_(all) {}

  absl::StatusOr<Session> Register(const Identity&) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    ++all_.registrations_;
    all_.changed_.notify_all();
    return Session{"session", 0.3};
  }
  absl::StatusOr<std::vector<Task>> Lease(const std::string&, int) override {
    std::unique_lock lock(all_.mutex_);
    all_.changed_.wait_for(lock, std::chrono::seconds(5), [this] {
      return stopped_ || !all_.tasks_.empty() || !all_.failure_.ok();
    });
    if (stopped_) return absl::CancelledError("stopped");
    if (!all_.failure_.ok()) return all_.failure_;
    std::vector<Task> tasks;
    if (!all_.tasks_.empty()) {
      tasks.push_back(all_.tasks_.front());
      all_.tasks_.pop_front();
    }
    return tasks;
  }
  void StopWaiting() override {
    std::lock_guard lock(all_.mutex_);
    if (!stopped_) ++all_.stopped_waits_;
    stopped_ = true;
    all_.changed_.notify_all();
  }
  absl::StatusOr<std::vector<std::string>> Heartbeat(
      const std::string&, const std::vector<std::string>& leases) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    std::vector<std::string> ended;
    for (const std::string& lease : leases) {
      if (all_.ended_.contains(lease)) ended.push_back(lease);
    }
    return ended;
  }
  absl::Status Report(const std::string&, const TaskReport& report) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    if (all_.refusals_ > 0) {
      --all_.refusals_;
      return all_.refusal_;
    }
    all_.reports_.push_back(report);
    all_.changed_.notify_all();
    return absl::OkStatus();
  }
  absl::Status Release(const std::string&,
                       const std::vector<std::string>& leases) override {
    std::lock_guard lock(all_.mutex_);
    all_.released_.insert(leases.begin(), leases.end());
    return absl::OkStatus();
  }
  absl::StatusOr<ModelSource> FetchModel(const std::string&) override {
    std::unique_lock lock(all_.mutex_);
    const std::chrono::duration<double> takes(all_.fetch_s_);
    lock.unlock();
    std::this_thread::sleep_for(takes);
    lock.lock();
    if (!all_.failure_.ok()) return all_.failure_;
    ++all_.model_fetches_;
    return all_.model_;
  }
  absl::StatusOr<std::string> FetchDataset(const std::string&) override {
    std::lock_guard lock(all_.mutex_);
    if (!all_.failure_.ok()) return all_.failure_;
    return all_.dataset_;
  }

 private:
  FakeCoordinator& all_;
  bool stopped_ = false;
};

FakeCoordinator::FakeCoordinator() {
  model_.equations =
      "dv/dt = (g*(El - v) + I)/C : volt\ng : siemens (constant)\n";
  model_.constants = {{"El", "-65*mV"}, {"C", "200*pF"}};
  model_.initial_values = {{"v", "El"}};
  dataset_ = ExampleDataset(50);
}

void FakeCoordinator::UseLongTraces() {
  std::lock_guard lock(mutex_);
  dataset_ = ExampleDataset(1'000'000);
}

void FakeCoordinator::UseEquations(const std::string& equations) {
  std::lock_guard lock(mutex_);
  model_.equations = equations;
}

std::shared_ptr<CoordinatorPort> FakeCoordinator::NewPort() {
  return std::make_shared<FakePort>(*this);
}

Task FakeCoordinator::NewTask(const std::string& lease,
                              std::vector<double> points) {
  Task task;
  task.lease = lease;
  task.fit = "fits/a";
  for (const double g : points) task.points.push_back({g});
  task.model_hash = "model";
  task.dataset_hash = "dataset";
  task.dt = 1e-4;
  task.parameters = {"g"};
  task.metrics = {
      {.output = "v", .metric = "mse", .options = {}, .t_weights = {}}};
  return task;
}

void FakeCoordinator::Add(Task task) {
  std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void FakeCoordinator::FailWith(absl::Status status) {
  std::lock_guard lock(mutex_);
  failure_ = std::move(status);
  changed_.notify_all();
}

void FakeCoordinator::RefuseReports(absl::Status status, int times) {
  std::lock_guard lock(mutex_);
  refusal_ = std::move(status);
  refusals_ = times;
}

void FakeCoordinator::End(const std::string& lease) {
  std::lock_guard lock(mutex_);
  ended_.insert(lease);
}

void FakeCoordinator::FetchTakes(double seconds) {
  std::lock_guard lock(mutex_);
  fetch_s_ = seconds;
}

bool FakeCoordinator::WaitForReports(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return reports_.size() >= count; });
}

bool FakeCoordinator::WaitForRegistrations(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return registrations_ >= count; });
}

std::vector<TaskReport> FakeCoordinator::reports() {
  std::lock_guard lock(mutex_);
  return reports_;
}

std::set<std::string> FakeCoordinator::released() {
  std::lock_guard lock(mutex_);
  return released_;
}

size_t FakeCoordinator::registrations() {
  std::lock_guard lock(mutex_);
  return registrations_;
}

size_t FakeCoordinator::tasks_left() {
  std::lock_guard lock(mutex_);
  return tasks_.size();
}

size_t FakeCoordinator::stopped_waits() {
  std::lock_guard lock(mutex_);
  return stopped_waits_;
}

size_t FakeCoordinator::model_fetches() {
  std::lock_guard lock(mutex_);
  return model_fetches_;
}

}  // namespace somafit
