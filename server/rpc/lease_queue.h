#pragma once

#include <string>

#include "server/rpc/waiting_queue.h"

namespace somafit {

// Workers that wait for tasks.
class LeaseQueue final : public WaitingQueue<Task> {
 public:
  LeaseQueue(Strand& strand, Executor& executor, double wait_s);

 private:
  Result Take(Coordinator& coordinator, const std::string& session,
              int max_tasks, Now now, Effects& effects) override;
  bool HasWork(Coordinator& coordinator, Now now) const override;
  void Leased(const Tasks& tasks) const override;
};

}  // namespace somafit
