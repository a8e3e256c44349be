#include "server/rpc/lease_queue.h"

#include <iterator>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "worker/core/base/fault.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A reply carries no more points than this [bytes]; one task always fits.
constexpr size_t kMaxPointBytes = size_t{4} << 20;

size_t PointBytes(const Task& task) {
  return task.points.empty() ? 0
                             : 8 * task.points.size() * task.points[0].size();
}

}  // namespace

LeaseQueue::LeaseQueue(Strand& strand, Executor& executor, double wait_s)
    : WaitingQueue(strand, executor, wait_s) {
  strand.work_available = [this] { Serve(); };
}

LeaseQueue::Result LeaseQueue::Take(Coordinator& coordinator,
                                    const std::string& session, int max_tasks,
                                    Now now, Effects& effects) {
  Tasks tasks;
  size_t bytes = 0;
  while (std::ssize(tasks) < max_tasks && bytes < kMaxPointBytes) {
    SOMAFIT_ASSIGN_OR_RETURN(std::vector<Task> more,
                             coordinator.Lease(session, 1, now, effects));
    if (more.empty()) break;
    for (Task& task : more) {
      bytes += PointBytes(task);
      tasks.push_back(std::move(task));
    }
  }
  return tasks;
}

bool LeaseQueue::HasWork(Coordinator& coordinator, Now now) const {
  return coordinator.HasReadyWork(now);
}

void LeaseQueue::Leased(const Tasks& tasks) const {
  for (const Task& task : tasks) {
    spdlog::debug(
        "event=leased fit={} stage={} round={} first={} samples={} lease={}",
        task.fit, task.stage, task.round, task.first_sample, task.points.size(),
        task.lease);
  }
  FaultPoint("leased");
}

}  // namespace somafit
