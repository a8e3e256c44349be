#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/study/plan.h"
#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// Parts of ResolvePlan. `dt` is nullopt where it is wrong itself.

// The name, and the label, which is filled in.
void CheckNames(FitSpec& spec, Diagnostics& diagnostics);
// Numbers of samples, of attempts, of seconds: what has no model in it.
void CheckCounts(FitSpec& spec, size_t n_outputs, Diagnostics& diagnostics);

// What the total error is made of.
struct ErrorPlan {
  std::vector<Channel>
      terms;            // their names, and dimensions of what they compare
  Dimension dimension;  // of the total error
  bool grows = false;   // it is of mean squares alone: see AreMeanSquares
};
// Checks how outputs are compared with `dataset`, and replaces `metrics` by one
// per term, see MakeTerms. The normalized errors must agree in their dimension.
// nullopt after an error.
std::optional<ErrorPlan> CheckMetrics(std::vector<MetricSpec>& metrics,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics);

// That `spec.execution.abandon` is asked for only where it changes no result:
// `error` as CheckMetrics found it, nullptr where it is wrong itself. The
// optimizer's name is filled in.
void CheckAbandoning(const FitSpec& spec, const ErrorPlan* error,
                     Diagnostics& diagnostics);

// Bounds or a fixed value for each parameter of the model and for no others,
// scales, values to begin with.
struct ParameterPlan {
  ParameterSpace space;
  std::vector<StartValue> starts;
};
ParameterPlan CheckParameters(const FitSpec& spec, const Model& model,
                              Diagnostics& diagnostics);

// That `spec.penalty` is a variable with the dimension of the total error,
// which is nullopt where it is wrong itself. Compiles what records it.
void CheckPenalty(const FitSpec& spec, const Model& model, double dt,
                  const std::vector<std::string>& outputs,
                  const std::optional<Dimension>& error_dimension,
                  Diagnostics& diagnostics);

}  // namespace somafit
