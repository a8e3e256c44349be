#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace somafit {

// Samples first, first + 1, ... that are handed out together, and what has
// happened to them so far.
struct SampleRange {
  int64_t first = 0;
  int64_t count = 0;
  int attempts = 0;         // lost, overdue or failed
  int losses = 0;           // lost or overdue, since the range was last split
  double not_before_s = 0;  // steady time of the next attempt
};

// A range in a worker's hands.
struct Lease {
  std::string session;
  int64_t fit = 0;
  SampleRange range;
  double granted_s = 0;
  int64_t request = 0;  // for traces, whose points `range` are; 0: of a round
  // Its worker held other leases, and has them first: the time it may take has
  // not begun. It begins anew, as granted_s, when those have ended.
  bool waits = false;
};

// How an attempt ended without results.
enum class AttemptEnd : uint8_t {
  kLost,      // its worker fell silent
  kOverdue,   // it took longer than the task timeout
  kFailed,    // its worker reported a failure
  kReleased,  // given back unfinished: no attempt is counted
};

// Samples of a round that no worker holds.
class PendingRanges {
 public:
  // REQUIRES: disjoint from all ranges held.
  void Add(const SampleRange& range);
  // Adds samples that nobody has had, as a part of the range before them where
  // that is new as well.
  void AddNew(int64_t first, int64_t count);
  // The first at most `n` samples of the first range that may be tried now.
  std::optional<SampleRange> Take(int64_t n, double now_s);
  // Drops one sample, wherever it lies; no-op if it is not pending.
  void Remove(int64_t sample);

  int64_t count() const { return count_; }
  bool HasReady(double now_s) const;
  // Whether some range's delay ended in (from_s, to_s].
  bool BecameReady(double from_s, double to_s) const;

 private:
  std::map<int64_t, SampleRange> ranges_;  // by first sample
  int64_t count_ = 0;
};

// Seconds before the next attempt after `attempts` reported failures: 0.5,
// doubling, at most 30.
double RetryDelay(int attempts);

}  // namespace somafit
