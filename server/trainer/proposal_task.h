#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/trainer/posteriors.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"

namespace somafit {

struct DrawOutcome {
  std::vector<double> theta;  // [n x D], within the prior
  std::vector<std::string> messages;
};

struct DrawTaskLimits {
  double seconds = 1800;
  int64_t candidates_each =
      20'000;  // of a draw, on average; at least 1e7 in all
};

// Draws the parameters of a round: from the prior in round 0, else from what
// the round before taught. Always the same, and the first of more.
// FailedPrecondition, with advice, where too few candidates are accepted,
// DeadlineExceeded where the time is over first.
absl::StatusOr<DrawOutcome> DoDraws(const Problem& problem,
                                    const v1::DrawTask& task,
                                    Posteriors& posteriors, const TaskRun& run,
                                    const DrawTaskLimits& limits = {});

}  // namespace somafit
