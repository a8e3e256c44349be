#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "server/study/leases.h"
#include "server/study/records.h"

namespace somafit {

// A round that has been drawn and not ended: what is known of its samples, and
// which of them are in nobody's hands. A large round goes to the store slice by
// slice, so that workers begin while the rest is written.
class OpenRound {
 public:
  // Nothing is recorded yet. Of all its samples, the first `n_drawn` are on
  // their way to the store.
  OpenRound(RoundRecord round, int64_t n_drawn);
  // As read back; nothing is in a worker's hands. If samples are to come,
  // `stored.round` is the whole round and `n_to_come` says how many of them.
  OpenRound(StoredRound stored, int64_t n_to_come);

  const RoundRecord& record() const { return round_; }
  // Errors above which samples are of no use, see Optimizer::Limits; empty:
  // there are none.
  const std::vector<double>& limits() const { return limits_; }
  void SetLimits(std::vector<double> limits) { limits_ = std::move(limits); }
  int64_t first() const { return round_.first_sample; }
  int64_t size() const { return static_cast<int64_t>(outcomes_.size()); }
  bool Contains(int64_t sample) const {
    return sample >= first() && sample < first() + size();
  }
  // Drawn and without a result.
  bool IsOpen(int64_t sample) const {
    return sample >= first() && sample < first() + n_drawn_ &&
           outcomes_[Index(sample)].status == SampleStatus::kDrawn;
  }
  bool complete() const { return n_open_ == 0; }
  int64_t n_open() const { return n_open_; }  // those to come included
  // Recorded with another status than kOk.
  int64_t n_not_ok() const { return n_not_ok_; }
  int64_t n_to_come() const { return size() - n_drawn_; }

  // The next at most `n` samples that are to come, for the store; from now on
  // they are pending.
  DrawnSamples Draw(int64_t n);

  // Adds samples behind all others, for the store; they are pending.
  // REQUIRES: none is to come.
  DrawnSamples Append(std::vector<std::vector<double>> points);

  // Closes an open sample; also takes it off the pending ones.
  // REQUIRES: IsOpen(sample).
  void Record(int64_t sample, SampleStatus status, double total_error);
  // Makes those samples of `range` that are still open pending.
  void GiveBack(const SampleRange& range);
  // The samples of `range` that are still open.
  std::vector<int64_t> OpenSamples(const SampleRange& range) const;

  PendingRanges& pending() { return pending_; }
  const PendingRanges& pending() const { return pending_; }

  struct Outcome {
    SampleStatus status = SampleStatus::kDrawn;
    double total_error = 0;
  };
  const Outcome& outcome(int64_t sample) const {
    return outcomes_[Index(sample)];
  }
  const std::vector<double>& point(int64_t sample) const {
    return round_.points[Index(sample)];
  }
  // For learning from a complete round, which needs it no more.
  std::vector<double> TakeUnitPoint(int64_t sample) {
    return std::move(round_.unit_points[Index(sample)]);
  }

 private:
  size_t Index(int64_t sample) const {
    return static_cast<size_t>(sample - round_.first_sample);
  }

  RoundRecord round_;
  std::vector<double> limits_;
  std::vector<Outcome> outcomes_;
  int64_t n_drawn_ = 0;
  int64_t n_open_ = 0;
  int64_t n_not_ok_ = 0;
  PendingRanges pending_;
};

}  // namespace somafit
