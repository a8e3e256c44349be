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

int64_t TaskSize(int64_t pending, int threads, int64_t total_threads,
                 int64_t limit) {
  const double own = std::max(threads, 1);
  const double all = std::max(static_cast<double>(total_threads), own);
  const double share = static_cast<double>(pending) * own / all;
  const auto fair = static_cast<int64_t>(std::ceil(share));
  const auto half = static_cast<int64_t>(std::ceil(share / 2));
  const int64_t n = std::max(half, std::min<int64_t>(fair, 8));
  return std::clamp<int64_t>(n, 1, std::max<int64_t>(limit, 1));
}

int64_t LargestTask(size_t n_parameters, size_t n_outputs, size_t n_traces) {
  const size_t sample_bytes =
      8 * (n_parameters + n_outputs * (n_traces + 2) + 4);
  constexpr size_t kReportBytes = size_t{4} << 20;
  return std::clamp<int64_t>(static_cast<int64_t>(kReportBytes / sample_bytes),
                             1, 4096);
}

double RetryDelay(int attempts) {
  return std::min(30.0, 0.5 * std::exp2(std::clamp(attempts - 1, 0, 10)));
}

}  // namespace somafit
