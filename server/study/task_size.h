#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace somafit {

// Samples that a native kernel computes at once, as lanes of a vector: a task
// of fewer takes as long as one of so many.
inline constexpr int64_t kLanes = 16;

// A smoothed measurement of how fast samples are simulated.
class SpeedEstimate {
 public:
  // `samples` took `seconds`. What a task of fewer than kLanes says counts for
  // less, unless nothing else is known.
  void Add(int64_t samples, double seconds);
  // Samples a second; nullopt before the first Add.
  std::optional<double> samples_per_s() const;

 private:
  double s_per_sample_ = 0;  // 0: unknown
};

// What is known of a round when a worker asks for samples of it.
struct TaskRequest {
  int64_t pending = 0;  // samples in nobody's hands
  int64_t leased = 0;   // in some worker's hands, without a result
  int64_t held = 0;     // those of them in this worker's hands
  int threads = 1;      // of this worker
  // Of this worker, and of all live ones together, in one unit: [samples/s]
  // once any worker's was measured, before that threads.
  double speed = 1;
  double total_speed = 1;
  bool measured = false;  // `speed` is this worker's own
  int64_t limit = 0;      // at most so many samples, at least 1
};

// How many samples to hand out. Results never depend on it.
//
// Guided self-scheduling: half of what is left of the worker's fair share of
// all samples without a result, so that tasks shrink towards the end of a round
// and workers finish together. Where the worker's speed was measured, tasks
// last at most 100 ms and, as far as the share goes, at least 10 ms; before
// that they are small, so as to learn it. Never less than kLanes, and from
// there on multiples of it, unless the share is less.
//
// 0 if the worker already holds its share: others will do the rest sooner. A
// worker that holds nothing gets at least 1.
int64_t TaskSize(const TaskRequest& request);

// Largest task: 4096 samples, and what keeps a report of its results below
// 4 MiB. `n_raw`: float32 of raw traces.
int64_t LargestTask(size_t n_parameters, size_t n_outputs, size_t n_traces,
                    size_t n_raw = 0);

}  // namespace somafit
