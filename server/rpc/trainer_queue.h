#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "server/rpc/strand.h"

namespace somafit {

// Trainers that wait for a task, as LeaseQueue has workers: no thread waits.
//
// Thread-safe; its state is guarded by the strand's lock.
class TrainerQueue {
 public:
  using Result = absl::StatusOr<std::optional<TrainerTask>>;
  using Answer = std::function<void(Result)>;

  // A waiter gives up, with no task, after `wait_s`.
  TrainerQueue(Strand& strand, Executor& executor, double wait_s);

  uint64_t NewTicket() { return ++last_ticket_; }
  // Answers exactly once, on the executor.
  void Wait(uint64_t ticket, std::string session, Answer answer);
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
    double until_s = 0;  // steady clock
    Answer answer;
  };

  // Both with the lock held.
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
