#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"

namespace somafit {

struct ChannelOutline {
  std::string name;
  std::string unit;  // of the numbers in the file, "mV"; "": the model's own
};

// An experiment without the samples of its traces: all that its model's
// compilation needs, as text in the model language, not yet checked.
struct ExperimentOutline {
  ModelSource model;
  std::vector<ChannelOutline> inputs;
  std::vector<ChannelOutline> outputs;
  std::string dt;                         // "0.01*ms"
  std::vector<ParameterSpec> parameters;  // those that have bounds
  std::vector<MetricSpec> metrics;
  std::string penalty = {};  // as FitSpec has it
  // Steps of each trace; empty where no recordings were read.
  std::vector<int64_t> trace_steps;
  // Why recordings that are named were not read, a line each; else "".
  std::string recordings_problem;
};

}  // namespace somafit
