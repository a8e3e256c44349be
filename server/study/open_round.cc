#include "server/study/open_round.h"

#include <algorithm>
#include <utility>

#include "worker/core/base/check.h"

namespace somafit {

OpenRound::OpenRound(RoundRecord round)
    : OpenRound(StoredRound{std::move(round), {}}) {}

OpenRound::OpenRound(StoredRound stored) : round_(std::move(stored.round)) {
  outcomes_.resize(round_.points.size());
  for (size_t i = 0; i < stored.evaluations.size() && i < outcomes_.size();
       ++i) {
    outcomes_[i] = {stored.evaluations[i].status,
                    stored.evaluations[i].total_error};
  }
  n_open_ = std::count_if(outcomes_.begin(), outcomes_.end(), [](auto& o) {
    return o.status == SampleStatus::kDrawn;
  });
  GiveBack({.first = first(), .count = size()});
}

void OpenRound::Record(int64_t sample, SampleStatus status,
                       double total_error) {
  SOMAFIT_CHECK(IsOpen(sample) && status != SampleStatus::kDrawn);
  outcomes_[Index(sample)] = {status, total_error};
  --n_open_;
  pending_.Remove(sample);
}

void OpenRound::GiveBack(const SampleRange& range) {
  SampleRange run = range;
  run.count = 0;
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    if (IsOpen(s)) {
      if (run.count == 0) run.first = s;
      ++run.count;
    } else if (run.count > 0) {
      pending_.Add(run);
      run.count = 0;
    }
  }
  pending_.Add(run);
}

std::vector<int64_t> OpenRound::OpenSamples(const SampleRange& range) const {
  std::vector<int64_t> open;
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    if (IsOpen(s)) open.push_back(s);
  }
  return open;
}

}  // namespace somafit
