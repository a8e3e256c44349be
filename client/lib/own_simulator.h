#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/lib/client.h"
#include "client/lib/points_file.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

// The calls of v1.InferenceService for simulators of the user's own. Mutations
// carry a request id of their own.

// The whole proposal: theta [n x parameters] in one message.
absl::StatusOr<v1::Proposed> Propose(FitClient* client,
                                     const v1::ProposeRequest& request);
absl::StatusOr<v1::AppendSimulationsResponse> AppendSimulations(
    FitClient* client, const std::string& name, std::optional<int64_t> round,
    const SimulationTable& simulations);
absl::StatusOr<v1::Fit> Train(FitClient* client, v1::TrainRequest request);
absl::StatusOr<v1::Fit> SetObservation(FitClient* client,
                                       const std::string& name,
                                       const std::vector<double>& observation);

}  // namespace somafit
