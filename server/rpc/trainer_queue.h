#pragma once

#include <string>

#include "server/rpc/waiting_queue.h"

namespace somafit {

// Trainers that wait for a task; they get one at a time.
class TrainerQueue final : public WaitingQueue<TrainerTask> {
 public:
  TrainerQueue(Strand& strand, Executor& executor, double wait_s);

 private:
  Result Take(Coordinator& coordinator, const std::string& session,
              int max_tasks, Now now, Effects& effects) override;
  bool HasWork(Coordinator& coordinator, Now now) const override;
};

}  // namespace somafit
