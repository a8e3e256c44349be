#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "server/trainer/posteriors.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"

namespace somafit {

struct TrainingOutcome {
  v1::TrainingSummary summary;
  std::string estimators;  // an EstimatorSet's bytes
};

// Trains on what rounds 0 to `task.round` simulated. A function of the problem
// and the simulations alone, on one machine: a task that is handed out again
// gives the same bits.
//
// round 0   maximum likelihood; of several nets ("auto") the best is chosen
//           and kept for all rounds
// npe_a     the latest round, one component until the stage's last round, in
//           which copies of it part
// npe_b     all rounds, weighted by prior / mixture of all proposals
// npe_c     mixture loss on the latest round where net and proposal are
//           mixtures and the prior is uniform or normal, else atoms
// tsnpe     maximum likelihood on all rounds
//
// Later rounds go on from the net of the round before, unless it is to be
// retrained from scratch. The summary's losses are those of an ensemble's first
// net.
//
// InvalidArgument, FailedPrecondition and DataLoss are the task's fault.
// Cancelled when run.cancelled() says so.
absl::StatusOr<TrainingOutcome> DoTraining(const Problem& problem,
                                           const v1::TrainTask& task,
                                           Posteriors& posteriors,
                                           const TaskRun& run);

}  // namespace somafit
