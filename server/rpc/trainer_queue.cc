#include "server/rpc/trainer_queue.h"

#include <memory>
#include <utility>
#include <vector>

#include "proto/convert/status.h"

namespace somafit {
namespace {

absl::Status Draining() {
  return WithReason(
      absl::UnavailableError("the server is stopping; connect again later"),
      "DRAINING");
}

bool IsNothing(const TrainerQueue::Result& result) {
  return result.ok() && !result->has_value();
}

}  // namespace

TrainerQueue::TrainerQueue(Strand& strand, Executor& executor, double wait_s)
    : strand_(strand), executor_(executor), wait_s_(wait_s) {
  strand_.trainer_work = [this] { Serve(); };
}

void TrainerQueue::Wait(uint64_t ticket, std::string session, Answer answer) {
  auto result = std::make_shared<std::optional<Result>>();
  auto waiter =
      std::make_shared<Waiter>(Waiter{.ticket = ticket,
                                      .session = std::move(session),
                                      .until_s = ReadClock().steady_s + wait_s_,
                                      .answer = std::move(answer)});
  strand_.Decide(
      [this, result, waiter](Coordinator& coordinator, Now now,
                             Effects& effects) {
        if (draining_) {
          *result = Draining();
          return;
        }
        Result taken =
            coordinator.LeaseTrainerTask(waiter->session, now, effects);
        if (IsNothing(taken)) {
          waiters_.push_back(std::move(*waiter));
        } else {
          *result = std::move(taken);
        }
      },
      [result, waiter] {
        if (result->has_value()) waiter->answer(**std::move(result));
      });
}

void TrainerQueue::Serve() {
  if (serving_ || waiters_.empty()) return;
  serving_ = true;
  auto served = std::make_shared<std::vector<std::pair<Waiter, Result>>>();
  strand_.DecideLocked(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        while (!waiters_.empty() && coordinator.HasTrainerWork(now)) {
          Waiter& waiter = waiters_.front();
          Result taken =
              coordinator.LeaseTrainerTask(waiter.session, now, effects);
          if (IsNothing(taken)) break;
          served->emplace_back(std::move(waiter), std::move(taken));
          waiters_.pop_front();
        }
      },
      [served] {
        for (auto& [waiter, result] : *served) waiter.answer(std::move(result));
      });
  serving_ = false;
}

void TrainerQueue::Reply(Waiter waiter, Result result) {
  executor_.Post(
      [answer = std::move(waiter.answer),
       result = std::move(result)]() mutable { answer(std::move(result)); });
}

void TrainerQueue::Cancel(uint64_t ticket) {
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->ticket != ticket) continue;
      Reply(std::move(*it), absl::CancelledError("the call was cancelled"));
      waiters_.erase(it);
      return;
    }
  });
}

void TrainerQueue::Expire() {
  const double now_s = ReadClock().steady_s;
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->until_s > now_s) {
        ++it;
        continue;
      }
      Reply(std::move(*it), std::optional<TrainerTask>());
      it = waiters_.erase(it);
    }
  });
}

void TrainerQueue::Drain() {
  strand_.WithLock([&] {
    draining_ = true;
    for (Waiter& waiter : waiters_) Reply(std::move(waiter), Draining());
    waiters_.clear();
  });
}

}  // namespace somafit
