#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "server/trainer/trainer_port.h"

namespace somafit {

// Connects to the coordinator that the endpoint file names. NotFound or
// InvalidArgument if the file is missing or wrong; whether anybody listens is
// found out by the first call.
absl::StatusOr<std::shared_ptr<TrainerPort>> ConnectTrainerByEndpointFile(
    const std::string& path);

}  // namespace somafit
