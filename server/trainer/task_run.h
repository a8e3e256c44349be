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
  // What a net of this training has come to, before somebody else took it up;
  // "": nothing.
  std::function<absl::StatusOr<std::string>(int member)> fetch_checkpoint =
      [](int) { return std::string(); };
  // Keeps it, if that is possible.
  std::function<void(int member, const std::string& bytes)> keep_checkpoint =
      [](int, const std::string&) {};
  double checkpoint_s = 30;  // so often
  // The bytes of the TorchScript module that the task's estimator names.
  std::function<absl::StatusOr<std::string>()> fetch_script;
  // Whether such modules, which are code, may be run.
  bool allow_scripts = false;
  // What it does, for people.
  std::function<void(std::string)> say = [](std::string) {};
  // Of a training: an epoch is over. The calls of one net come in order.
  std::function<void(v1::EpochReport)> report = [](const v1::EpochReport&) {};
  // Whether nobody wants the result any more: the task then ends as Cancelled.
  std::function<bool()> cancelled = [] { return false; };
  // Nets of an ensemble that are trained at once. It changes no result.
  int threads = 1;
};

}  // namespace somafit
