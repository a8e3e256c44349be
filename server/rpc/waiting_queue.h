#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "proto/convert/status.h"
#include "server/rpc/strand.h"

namespace somafit {

// Calls that wait for `Task`s to be leased. No thread waits: a waiter is an
// entry, served when a decision makes work available, in the order of arrival.
// Workers and trainers have one each, which knows what there is for them.
//
// Thread-safe; its state is guarded by the strand's lock.
template <typename Task>
class WaitingQueue {
 public:
  using Tasks = std::vector<Task>;
  using Result = absl::StatusOr<Tasks>;
  using Answer = std::function<void(Result)>;

  // A number for one waiter.
  uint64_t NewTicket() { return ++last_ticket_; }
  // Answers exactly once, on the executor, when there are tasks (durably
  // drawn), an error, or the wait is over, with none.
  void Wait(uint64_t ticket, std::string session, int max_tasks, Answer answer);
  // Ends the wait of a call that was cancelled; harmless if it has ended.
  void Cancel(uint64_t ticket);
  // Ends waits that are over; call a few times a second.
  void Expire();
  // Ends all waits, and from now on each at once, with Unavailable.
  void Drain();

 protected:
  // A waiter gives up, with no tasks, after `wait_s`.
  WaitingQueue(Strand& strand, Executor& executor, double wait_s)
      : strand_(strand), executor_(executor), wait_s_(wait_s) {}
  ~WaitingQueue() = default;

  // Answers those for whom there is something now; with the lock held.
  void Serve();

 private:
  // Both with the lock held: what there is for one session, and whether there
  // is anything for anybody.
  virtual Result Take(Coordinator& coordinator, const std::string& session,
                      int max_tasks, Now now, Effects& effects) = 0;
  virtual bool HasWork(Coordinator& coordinator, Now now) const = 0;
  // Called before an answer with tasks, once they are durable.
  virtual void Leased(const Tasks&) const {}

  struct Waiter {
    uint64_t ticket = 0;
    std::string session;
    int max_tasks = 1;
    double until_s = 0;  // steady clock
    Answer answer;
  };
  struct Served {
    Waiter waiter;
    std::optional<Result> result;  // none: it waits
  };

  static absl::Status Draining() {
    return WithReason(
        absl::UnavailableError("the server is stopping; connect again later"),
        "DRAINING");
  }
  void AnswerIfAny(Served& served) const;
  void Reply(Waiter waiter, Result result);

  Strand& strand_;
  Executor& executor_;
  const double wait_s_;
  std::atomic<uint64_t> last_ticket_{0};
  std::list<Waiter> waiters_;
  bool serving_ = false;
  bool draining_ = false;
};

template <typename Task>
void WaitingQueue<Task>::AnswerIfAny(Served& served) const {
  if (!served.result.has_value()) return;
  if (served.result->ok()) Leased(**served.result);
  served.waiter.answer(*std::move(served.result));
}

template <typename Task>
void WaitingQueue<Task>::Wait(uint64_t ticket, std::string session,
                              int max_tasks, Answer answer) {
  auto served = std::make_shared<Served>(
      Served{.waiter = {.ticket = ticket,
                        .session = std::move(session),
                        .max_tasks = max_tasks,
                        .until_s = ReadClock().steady_s + wait_s_,
                        .answer = std::move(answer)},
             .result = std::nullopt});
  strand_.Decide(
      [this, served](Coordinator& coordinator, Now now, Effects& effects) {
        if (draining_) {
          served->result = Draining();
          return;
        }
        Waiter& waiter = served->waiter;
        Result taken =
            Take(coordinator, waiter.session, waiter.max_tasks, now, effects);
        if (taken.ok() && taken->empty()) {
          waiters_.push_back(std::move(waiter));
        } else {
          served->result = std::move(taken);
        }
      },
      [this, served] { AnswerIfAny(*served); });
}

template <typename Task>
void WaitingQueue<Task>::Serve() {
  if (serving_ || waiters_.empty()) return;
  serving_ = true;
  auto all = std::make_shared<std::vector<Served>>();
  strand_.DecideLocked(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        // What is not for one may be for those behind it.
        for (auto it = waiters_.begin();
             it != waiters_.end() && HasWork(coordinator, now);) {
          Result taken =
              Take(coordinator, it->session, it->max_tasks, now, effects);
          if (taken.ok() && taken->empty()) {
            ++it;
            continue;
          }
          all->push_back({std::move(*it), std::move(taken)});
          it = waiters_.erase(it);
        }
      },
      [this, all] {
        for (Served& each : *all) AnswerIfAny(each);
      });
  serving_ = false;
}

template <typename Task>
void WaitingQueue<Task>::Reply(Waiter waiter, Result result) {
  executor_.Post(
      [answer = std::move(waiter.answer),
       result = std::move(result)]() mutable { answer(std::move(result)); });
}

template <typename Task>
void WaitingQueue<Task>::Cancel(uint64_t ticket) {
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->ticket != ticket) continue;
      Reply(std::move(*it), absl::CancelledError("the call was cancelled"));
      waiters_.erase(it);
      return;
    }
  });
}

template <typename Task>
void WaitingQueue<Task>::Expire() {
  const double now_s = ReadClock().steady_s;
  strand_.WithLock([&] {
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->until_s > now_s) {
        ++it;
        continue;
      }
      Reply(std::move(*it), Tasks());
      it = waiters_.erase(it);
    }
  });
}

template <typename Task>
void WaitingQueue<Task>::Drain() {
  strand_.WithLock([&] {
    draining_ = true;
    for (Waiter& waiter : waiters_) Reply(std::move(waiter), Draining());
    waiters_.clear();
  });
}

}  // namespace somafit
