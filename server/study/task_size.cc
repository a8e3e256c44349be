#include "server/study/task_size.h"

#include <algorithm>
#include <cmath>

namespace somafit {
namespace {

constexpr double kLongestTask = 0.1;    // [s]
constexpr double kShortestTask = 0.01;  // [s], shorter ones cost more than help
constexpr int64_t kFirstTask = 32;      // samples a thread, of unknown speed
constexpr double kSmoothing = 0.5;      // weight of the newest task

}  // namespace

void SpeedEstimate::Add(int64_t samples, double seconds) {
  if (samples <= 0) return;
  const double found = std::max(seconds, 1e-6) / static_cast<double>(samples);
  const double lanes = static_cast<double>(std::min(samples, kLanes)) / kLanes;
  s_per_sample_ =
      s_per_sample_ > 0
          ? s_per_sample_ + kSmoothing * lanes * (found - s_per_sample_)
          : found;
}

std::optional<double> SpeedEstimate::samples_per_s() const {
  if (s_per_sample_ <= 0) return std::nullopt;
  return 1 / s_per_sample_;
}

int64_t TaskSize(const TaskRequest& request) {
  const double part =
      request.speed / std::max(request.total_speed, request.speed);
  const double share =
      static_cast<double>(request.pending + request.leased) * part -
      static_cast<double>(request.held);
  if (request.held > 0 && share < 1) return 0;
  const double lanes = kLanes;
  double least = lanes;
  double most = static_cast<double>(kFirstTask) * std::max(request.threads, 1);
  if (request.measured) {
    least = std::max(lanes, kShortestTask * request.speed);
    // Fewer would leave threads without a vector of samples.
    most = std::max(lanes * std::max(request.threads, 1),
                    kLongestTask * request.speed);
  }
  const double wanted =
      std::min(most, std::max(share / 2, std::min(share, least)));
  // Clamped first: a count that is no int64_t must not be converted.
  auto n = static_cast<int64_t>(std::ceil(std::clamp(wanted, 1.0, 1e9)));
  if (n > kLanes) n -= n % kLanes;
  const int64_t most_by_count =
      std::min(request.pending, std::max<int64_t>(request.limit, 1));
  return std::clamp<int64_t>(n, 1, std::max<int64_t>(most_by_count, 1));
}

int64_t LargestTask(size_t n_parameters, size_t n_outputs, size_t n_traces,
                    size_t n_raw) {
  const size_t sample_bytes =
      8 * (n_parameters + n_outputs * (n_traces + 2) + 4) + 4 * n_raw;
  constexpr size_t kReportBytes = size_t{4} << 20;
  return std::clamp<int64_t>(static_cast<int64_t>(kReportBytes / sample_bytes),
                             1, 4096);
}

}  // namespace somafit
