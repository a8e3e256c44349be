#pragma once

#include <cstdint>
#include <vector>

#include "server/study/records.h"

namespace somafit {

// Time as it comes in: `steady_s` decides, `unix_us` is only shown.
struct Now {
  double steady_s = 0;
  int64_t unix_us = 0;
};

// What a decision wants done, besides its answer. The caller submits `writes`
// to the store under the lock under which it decided, and only when they are
// durable sends the answer, wakes watchers and calls back.
struct Effects {
  WriteSet writes;
  std::vector<int64_t> advance;  // fits for which to call Advance after commit
  // Requests for traces that have more to send, or have failed.
  std::vector<int64_t> trace_requests;
  bool work_available = false;  // waiting LeaseTasks calls should try again
  // Questions to posteriors that have been answered, or have failed.
  std::vector<int64_t> questions;
  // Fits whose training has news that are not stored.
  std::vector<int64_t> trainings;
  bool trainer_work = false;  // waiting trainers should try again
};

}  // namespace somafit
