#pragma once

#include <optional>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit::jit {

// Cuts a step in two stages that take about as long as each other: which of the
// values `needed` belong to the front stage, which is computed from states,
// inputs and invariants alone. The back stage takes what else it needs from the
// same states. nullopt where chains of operations are too short for that to
// pay.
std::optional<std::vector<bool>> FrontStage(const Program& program,
                                            const std::vector<bool>& needed);

}  // namespace somafit::jit
