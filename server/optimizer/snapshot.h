#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "server/optimizer/optimizer.h"
#include "worker/core/data/byte_codec.h"

namespace somafit {

// What every optimizer's snapshot is wrapped in: a mark, the member's name and
// version, its dimensions and options, the state, and a sum over all of it that
// shows damage (not malice: a snapshot is believed only in structure).
std::string SealSnapshot(std::string_view name, uint32_t version,
                         const OptimizerConfig& config, std::string_view state);

// The state inside; DataLoss if anything else than SealSnapshot with the same
// name, version and configuration wrote `snapshot`.
absl::StatusOr<std::string_view> OpenSnapshot(std::string_view name,
                                              uint32_t version,
                                              const OptimizerConfig& config,
                                              std::string_view snapshot);

}  // namespace somafit
