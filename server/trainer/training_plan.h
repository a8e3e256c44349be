#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/training.h"
#include "server/trainer/posteriors.h"
#include "server/trainer/problem.h"
#include "server/trainer/simulations.h"

namespace somafit {

// What is trained in a round, on what, and from where: decided before the
// first epoch.
struct TrainingPlan {
  std::vector<EstimatorSpec> specs;           // several: to choose from
  Algorithm rows = Algorithm::kTruncatedNpe;  // whose rules choose them
  TrainingLoss loss;
  // Of each member, what it goes on from; empty: nothing.
  Estimators starts;
  std::vector<std::string> messages;
};

// `exact`: with the mixture loss where NPE-C allows it.
absl::StatusOr<TrainingPlan> PlanTraining(const Problem& problem, int64_t round,
                                          bool exact, Posteriors& posteriors,
                                          const TaskRun& run);

// What a loss needs beside parameters and features; empty where it does not.
struct RowNumbers {
  std::vector<double> weights, log_prior;
  double effective_samples = 0, largest_weight = 0;  // of weights
  std::vector<std::string> messages;
};
absl::StatusOr<RowNumbers> NumbersOfRows(const Problem& problem, int64_t round,
                                         const TrainingPlan& plan,
                                         const Simulations& used,
                                         Posteriors& posteriors,
                                         const TaskRun& run);

}  // namespace somafit
