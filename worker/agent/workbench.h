#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/agent/coordinator_port.h"
#include "worker/core/data/dataset.h"
#include "worker/sim/block.h"
#include "worker/sim/experiment.h"

namespace somafit {

struct WorkbenchOptions {
  int threads = 1;
  KernelSource kernels = KernelFor;
  // Of datasets kept; that of the present task is kept whatever its size.
  size_t memory_bytes = size_t{1} << 30;
};

// Does tasks; keeps what was fetched, decoded and compiled for the next ones.
//
// Thread-compatible.
class Workbench {
 public:
  explicit Workbench(WorkbenchOptions options) : options_(std::move(options)) {}

  // The experiment of `task`, ready to run. Errors of the coordinator's are
  // returned as they are; IsTheTasksFault tells them from the task's own.
  absl::StatusOr<std::shared_ptr<const Experiment>> Prepare(
      const Task& task, CoordinatorPort& coordinator);

  // Both: Cancelled once `cancelled` is true. For a task that asks for errors:
  absl::StatusOr<std::vector<Evaluation>> Evaluate(
      const Experiment& experiment, const Task& task,
      const std::function<bool()>& cancelled) const;
  // For one that asks for traces:
  absl::StatusOr<std::vector<Recording>> Record(
      const Experiment& experiment, const Task& task,
      const std::function<bool()>& cancelled) const;

 private:
  absl::StatusOr<std::shared_ptr<const Dataset>> DatasetOf(
      const std::string& hash, CoordinatorPort& coordinator);

  // Kernels differ with the number of points: what a task needs is compiled
  // before its time is taken.
  absl::Status Compile(const Task& task, const Experiment& experiment) const;

  struct KeptDataset {
    std::string hash;
    std::shared_ptr<const Dataset> dataset;
    size_t bytes;
  };
  struct KeptExperiment {
    std::string key;
    std::shared_ptr<const Experiment> experiment;
  };

  const WorkbenchOptions options_;
  // Latest first.
  std::list<KeptDataset> datasets_;
  std::list<KeptExperiment> experiments_;
};

// Whether an error would come back with the next coordinator or connection.
bool IsTheTasksFault(const absl::Status& status);

}  // namespace somafit
