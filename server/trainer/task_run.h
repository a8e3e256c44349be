#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "somafit/v1/trainer_service.pb.h"

namespace somafit {

// Takes one block of simulations; an error ends the fetching.
using BlockSink = std::function<absl::Status(const v1::SimulationBlock&)>;

// What a task under way asks of whoever runs it. All are callable from any
// thread.
struct TaskRun {
  // All simulations, by number.
  std::function<absl::Status(const BlockSink&)> fetch_simulations;
  // The bytes of a round's EstimatorSet.
  std::function<absl::StatusOr<std::string>(int64_t round)> fetch_estimators;
  // The bytes of the TorchScript module that the task's estimator names.
  std::function<absl::StatusOr<std::string>()> fetch_script;
  // Whether such modules, which are code, may be run.
  bool allow_scripts = false;
  // What it does, for people.
  std::function<void(std::string)> say = [](std::string) {};
  // Whether nobody wants the result any more: the task then ends as Cancelled.
  std::function<bool()> cancelled = [] { return false; };
  // Nets of an ensemble that are trained at once. It changes no result.
  int threads = 1;
};

}  // namespace somafit
