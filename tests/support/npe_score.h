#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tests/support/sbi_tasks.h"

namespace somafit {

struct NpeScoreOptions {
  std::string net = "nsf";
  int64_t simulations = 1000;
  int64_t batch = 200;
  uint64_t seed = 1;                    // of simulations and net
  int folds = 5;                        // of the two-sample test
  int64_t draws = 10'000;               // of each side
  std::vector<int> observations = {1};  // by number
  // Observations of our own, at parameters from the prior, in place of those
  // that are published: where the posterior is known exactly.
  bool fresh = false;
};

struct NpeScore {
  std::vector<double> c2st;  // of each observation
  double mean = 0;
  int64_t epochs = 0;
  double training_seconds = 0;  // CPU
};

// Trains a net once on simulations of `task` from its prior, and compares draws
// from the posterior at each observation with reference draws (C2st). NotFound
// where the published ones are not there. REQUIRES: task.has_posterior() for
// fresh ones.
absl::StatusOr<NpeScore> ScoreNpe(const SbiTask& task,
                                  const NpeScoreOptions& options);

}  // namespace somafit
