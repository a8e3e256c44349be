#include "server/study/leases.h"

#include <algorithm>
#include <cmath>

#include "worker/core/base/check.h"

namespace somafit {

void PendingRanges::Add(const SampleRange& range) {
  if (range.count <= 0) return;
  const bool added = ranges_.emplace(range.first, range).second;
  SOMAFIT_CHECK(added);
  count_ += range.count;
}

void PendingRanges::AddNew(int64_t first, int64_t count) {
  if (!ranges_.empty()) {
    SampleRange& last = ranges_.rbegin()->second;
    if (last.first + last.count == first && last.attempts == 0 &&
        last.losses == 0 && last.not_before_s == 0) {
      last.count += count;
      count_ += count;
      return;
    }
  }
  Add({.first = first, .count = count});
}

std::optional<SampleRange> PendingRanges::Take(int64_t n, double now_s) {
  for (auto it = ranges_.begin(); it != ranges_.end(); ++it) {
    if (it->second.not_before_s > now_s) continue;
    SampleRange taken = it->second;
    SampleRange rest = it->second;
    ranges_.erase(it);
    taken.count = std::min(std::max<int64_t>(n, 1), taken.count);
    rest.first += taken.count;
    rest.count -= taken.count;
    if (rest.count > 0) ranges_.emplace(rest.first, rest);
    count_ -= taken.count;
    return taken;
  }
  return std::nullopt;
}

void PendingRanges::Remove(int64_t sample) {
  auto it = ranges_.upper_bound(sample);
  if (it == ranges_.begin()) return;
  --it;
  const SampleRange range = it->second;
  if (sample >= range.first + range.count) return;
  ranges_.erase(it);
  count_ -= range.count;
  SampleRange before = range;
  before.count = sample - range.first;
  SampleRange after = range;
  after.first = sample + 1;
  after.count = range.first + range.count - after.first;
  Add(before);
  Add(after);
}

bool PendingRanges::HasReady(double now_s) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& entry) {
    return entry.second.not_before_s <= now_s;
  });
}

bool PendingRanges::BecameReady(double from_s, double to_s) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& entry) {
    return entry.second.not_before_s > from_s &&
           entry.second.not_before_s <= to_s;
  });
}

double RetryDelay(int attempts) {
  return std::min(30.0, 0.5 * std::exp2(std::clamp(attempts - 1, 0, 10)));
}

}  // namespace somafit
