#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/core/data/experiment_outline.h"
#include "worker/core/ir/lower.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/parameters.h"

namespace somafit {

// An outline with all that was found out about it.
struct CompiledOutline {
  ExperimentOutline outline;
  Model model;
  double dt = 0;                    // [s]
  std::vector<Channel> outputs;     // what is compared with targets
  std::vector<MetricSpec> metrics;  // the terms of the error, defaults too
  // Per parameter of the model; nullopt where nothing is said of it.
  std::vector<std::optional<Parameter>> parameters;
  std::string method;         // the one that was applied
  std::string why_not_exact;  // if the model names none and exact did not apply
  Program program;
};

// Compiles with the code that simulates. All mistakes are reported at once,
// under the names of the fit's fields; nullopt after errors. Where data name no
// output, those that the metrics name are observed. `observer`: see
// CompileProgram.
std::optional<CompiledOutline> CompileOutline(
    const ExperimentOutline& outline, Diagnostics& diagnostics,
    const ProgramObserver& observer = {});

}  // namespace somafit
