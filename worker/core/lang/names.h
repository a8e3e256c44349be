#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/lang/model.h"

namespace somafit {

// What t, dt, t_in_timesteps, iteration, i, N and the symbols of noise mean in
// a model, without an index; nullopt for others.
std::optional<Meaning> FindSymbol(const std::string& name);

// What pi, e, inf and the names of units mean everywhere; nullopt for others.
std::optional<Meaning> FindDefaultConstant(const std::string& name);

// An ASCII letter or underscore, then letters, digits and underscores.
bool IsIdentifier(std::string_view text);

// Why a model may not define a variable of this name (language, section 6.1),
// as a clause that follows the name; nullopt if it may. `outputs`: the names
// for which `<output>_target` is taken.
std::optional<std::string> ReasonReserved(
    std::string_view name, const std::vector<std::string>& outputs);

// xi, xi_1, ...
bool IsNoiseName(std::string_view name);

// Names that a misspelt one may have meant everywhere: units, functions,
// constants.
const std::vector<std::string>& DefaultNames();

// The remedy where nobody knows `name`: what was probably meant, of
// `candidates` rather than of DefaultNames(); "" where nothing comes to mind.
std::string HintForUnknown(const std::string& name,
                           const std::vector<std::string>& candidates);

}  // namespace somafit
