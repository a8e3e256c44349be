#pragma once

#include <optional>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/data/parameter_space.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// What a fit says of its model's parameters: bounds, scales, fixed values,
// values to begin with. Reports names that the model does not have, and texts
// that are wrong, under "parameters.<name>"; a parameter of which nothing is
// said is for the caller to judge.
struct ReadParameters {
  ReadParameters(const std::vector<ParameterSpec>& specs, const Model& model,
                 Diagnostics& diagnostics);

  // Per parameter of the model; nullopt where nothing, or nothing right, is
  // said.
  std::vector<std::optional<Parameter>> parameters;
  std::vector<bool> are_given;  // per parameter: whether anything is said
  std::vector<StartValue> starts;
};

}  // namespace somafit
