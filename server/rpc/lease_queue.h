#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/rpc/strand.h"

namespace somafit {

// Workers that wait for tasks. No thread waits: a waiter is an entry, served
// when a decision makes work available, in the order of arrival.
//
// Thread-safe; its state is guarded by the strand's lock.
class LeaseQueue {
 public:
  using Answer = std::function<void(absl::StatusOr<std::vector<Task>>)>;

  // A waiter gives up, with no tasks, after `wait_s`.
  LeaseQueue(Strand& strand, Executor& executor, double wait_s);

  // A number for one waiter.
  uint64_t NewTicket() { return ++last_ticket_; }
  // Answers exactly once, on the executor, when there are tasks (durably
  // drawn), an error, or the wait is over.
  void Wait(uint64_t ticket, std::string session, int max_tasks, Answer answer);
  // Ends the wait of a call that was cancelled; harmless if it has ended.
  void Cancel(uint64_t ticket);
  // Ends waits that are over; call a few times a second.
  void Expire();
  // Ends all waits, and from now on each at once, with Unavailable.
  void Drain();

 private:
  struct Waiter {
    uint64_t ticket = 0;
    std::string session;
    int max_tasks = 1;
    double until_s = 0;  // steady clock
    Answer answer;
  };
  using Result = absl::StatusOr<std::vector<Task>>;

  // All with the lock held.
  Result Take(Coordinator& coordinator, const Waiter& waiter, Now now,
              Effects& effects);
  void Serve();
  void Reply(Waiter waiter, Result result);

  Strand& strand_;
  Executor& executor_;
  const double wait_s_;
  std::atomic<uint64_t> last_ticket_{0};
  std::list<Waiter> waiters_;
  bool serving_ = false;
  bool draining_ = false;
};

}  // namespace somafit
