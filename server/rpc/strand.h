#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "server/rpc/executor.h"
#include "server/rpc/request_log.h"
#include "server/study/coordinator.h"
#include "server/study/store.h"

namespace somafit {

Now ReadClock();

// One lock around the coordinator, and the order of everything: a decision is
// taken and its writes are submitted under the same lock; what follows from it
// (replies, events, the next decision) waits until they are durable. Hence an
// answer never shows what a crash could undo.
//
// Thread-safe.
class Strand {
 public:
  using Decision = std::function<void(Coordinator&, Now, Effects&)>;
  using Then = std::function<void()>;

  // Calls back on `executor`. What is passed must outlive Stop.
  Strand(Coordinator& coordinator, Store& store, Executor& executor);

  // What to do after a decision that changed something. Set both before the
  // first decision. `touched`: fits with new events, or that are gone; called
  // after the commit. `work_available`: called under the lock, may decide more
  // by DecideLocked.
  std::function<void(const std::set<int64_t>& fits)> touched;
  std::function<void()> work_available;
  // Requests for traces that have news; called after the commit.
  std::function<void(const std::set<int64_t>& requests)> traces_changed;

  // A trainer has something to do; as work_available.
  std::function<void()> trainer_work;
  // Questions with news; called after the commit.
  std::function<void(const std::set<int64_t>& questions)> questions_changed;

  // Trainings with further epochs; called after the commit.
  std::function<void(const std::set<int64_t>& fits)> trainings_changed;

  // Decides; then, once everything decided so far is durable, calls `then`.
  void Decide(const Decision& decision, Then then);
  // The same, by a caller that holds the lock (`work_available`).
  void DecideLocked(const Decision& decision, Then then);
  // Looks at what never changes once it exists, hence without waiting.
  void Peek(const std::function<void(Coordinator&, RequestLog&)>& look);
  // Runs under the lock.
  void WithLock(const std::function<void()>& body);

  // A decision that is made at most once for a request id. `answer` of an equal
  // request that was made before replaces the decision. Nothing is stored if
  // `decide` fails, or without a request id.
  struct Once {
    std::string request_id, method, body_hash;
  };
  using Mutation =
      std::function<absl::StatusOr<std::string>(Coordinator&, Now, Effects&)>;
  using Answer = std::function<void(absl::StatusOr<std::string>)>;
  void DecideOnce(const Once& once, const Mutation& decide, Answer answer);

  // Fits that exist. Recovery sets it, decisions keep it.
  std::atomic<int64_t> fit_count{0};

  // From now on, decisions are dropped and `then` is not called.
  void Stop();

  // What is to be known of a write-set after it has been committed.
  struct Summary {
    std::set<int64_t> touched;
    std::set<int64_t> trace_requests;
    std::set<int64_t> questions;
    std::set<int64_t> trainings;
    int64_t fits_made = 0;  // less those deleted
    bool draw = false, results = false, round_end = false;
  };

 private:
  void Submit(Effects effects, Summary summary, Then then);
  void Committed(const Summary& summary, const std::vector<int64_t>& advance,
                 const Then& then);

  Coordinator& coordinator_;
  Store& store_;
  Executor& executor_;
  std::mutex mutex_;
  RequestLog requests_;
  bool stopped_ = false;
};

}  // namespace somafit
