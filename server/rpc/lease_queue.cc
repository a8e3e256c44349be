#include "server/rpc/lease_queue.h"

#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

#include "proto/convert/status.h"
#include "worker/core/base/fault.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A reply carries no more points than this [bytes]; one task always fits.
constexpr size_t kMaxPointBytes = size_t{4} << 20;

absl::Status Draining() {
  return WithReason(
      absl::UnavailableError("the server is stopping; connect again later"),
      "DRAINING");
}

void AnswerIfAny(std::optional<absl::StatusOr<std::vector<Task>>>& result,
                 const LeaseQueue::Answer& answer) {
  if (!result.has_value()) return;
  if (result->ok()) {
    for (const Task& grant : **result) {
      spdlog::debug(
          "event=leased fit={} stage={} round={} first={} "
          "samples={} lease={}",
          grant.fit, grant.stage, grant.round, grant.first_sample,
          grant.points.size(), grant.lease);
    }
    FaultPoint("leased");
  }
  answer(*std::move(result));
}

size_t PointBytes(const Task& grant) {
  return grant.points.empty()
             ? 0
             : 8 * grant.points.size() * grant.points[0].size();
}

}  // namespace

LeaseQueue::LeaseQueue(Strand& strand, Executor& executor, double wait_s)
    : strand_(strand), executor_(executor), wait_s_(wait_s) {
  strand_.work_available = [this] { Serve(); };
}

LeaseQueue::Result LeaseQueue::Take(Coordinator& coordinator,
                                    const Waiter& waiter, Now now,
                                    Effects& effects) {
  std::vector<Task> grants;
  size_t bytes = 0;
  while (std::ssize(grants) < waiter.max_tasks && bytes < kMaxPointBytes) {
    SOMAFIT_ASSIGN_OR_RETURN(
        std::vector<Task> more,
        coordinator.Lease(waiter.session, 1, now, effects));
    if (more.empty()) break;
    for (Task& grant : more) {
      bytes += PointBytes(grant);
      grants.push_back(std::move(grant));
    }
  }
  return grants;
}

void LeaseQueue::Wait(uint64_t ticket, std::string session, int max_tasks,
                      Answer answer) {
  auto result = std::make_shared<std::optional<Result>>();
  auto waiter =
      std::make_shared<Waiter>(Waiter{.ticket = ticket,
                                      .session = std::move(session),
                                      .max_tasks = max_tasks,
                                      .until_s = ReadClock().steady_s + wait_s_,
                                      .answer = std::move(answer)});
  strand_.Decide(
      [this, result, waiter](Coordinator& coordinator, Now now,
                             Effects& effects) {
        if (draining_) {
          *result = Draining();
          return;
        }
        Result taken = Take(coordinator, *waiter, now, effects);
        if (taken.ok() && taken->empty()) {
          waiters_.push_back(std::move(*waiter));
        } else {
          *result = std::move(taken);
        }
      },
      [result, waiter] { AnswerIfAny(*result, waiter->answer); });
}

void LeaseQueue::Serve() {
  if (serving_ || waiters_.empty()) return;
  serving_ = true;
  struct Served {
    Waiter waiter;
    std::optional<Result> result;
  };
  auto served = std::make_shared<std::vector<Served>>();
  strand_.DecideLocked(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        for (auto it = waiters_.begin(); it != waiters_.end();) {
          Result taken = Take(coordinator, *it, now, effects);
          if (!taken.ok() || !taken->empty()) {
            served->push_back({std::move(*it), std::move(taken)});
            it = waiters_.erase(it);
            continue;
          }
          // What is not for this one may be for those behind it.
          if (!coordinator.HasReadyWork(now)) break;
          ++it;
        }
      },
      [served] {
        for (Served& each : *served) {
          AnswerIfAny(each.result, each.waiter.answer);
        }
      });
  serving_ = false;
}

void LeaseQueue::Reply(Waiter waiter, Result result) {
  executor_.Post(
      [answer = std::move(waiter.answer),
       result = std::move(result)]() mutable { answer(std::move(result)); });
}

void LeaseQueue::Cancel(uint64_t ticket) {
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->ticket != ticket) continue;
      Reply(std::move(*it), absl::CancelledError("the call was cancelled"));
      waiters_.erase(it);
      return;
    }
  });
}

void LeaseQueue::Expire() {
  const double now_s = ReadClock().steady_s;
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->until_s > now_s) {
        ++it;
        continue;
      }
      Reply(std::move(*it), std::vector<Task>());
      it = waiters_.erase(it);
    }
  });
}

void LeaseQueue::Drain() {
  strand_.WithLock([&] {
    draining_ = true;
    for (Waiter& waiter : waiters_) Reply(std::move(waiter), Draining());
    waiters_.clear();
  });
}

}  // namespace somafit
