#include "server/rpc/trainer_queue.h"

#include <optional>
#include <utility>

#include "worker/core/base/status.h"

namespace somafit {

TrainerQueue::TrainerQueue(Strand& strand, Executor& executor, double wait_s)
    : WaitingQueue(strand, executor, wait_s) {
  strand.trainer_work = [this] { Serve(); };
}

TrainerQueue::Result TrainerQueue::Take(Coordinator& coordinator,
                                        const std::string& session,
                                        int /*max_tasks*/, Now now,
                                        Effects& effects) {
  SOMAFIT_ASSIGN_OR_RETURN(std::optional<TrainerTask> task,
                           coordinator.LeaseTrainerTask(session, now, effects));
  Tasks tasks;
  if (task) tasks.push_back(*std::move(task));
  return tasks;
}

bool TrainerQueue::HasWork(Coordinator& coordinator, Now now) const {
  return coordinator.HasTrainerWork(now);
}

}  // namespace somafit
