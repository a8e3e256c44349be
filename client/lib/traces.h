#pragma once

#include <functional>

#include "absl/status/status.h"

#include "client/lib/client.h"
#include "worker/core/data/recording.h"

namespace somafit {

// Has points simulated and takes what comes back. `accepted` is called once,
// when the coordinator has checked the request; then `take` for each point, in
// order, however long workers need. An error of either ends the call with it.
//
// Nothing is stored: Unavailable if the connection is lost meanwhile, and the
// request is to be made anew. Aborted if a point could not be simulated.
absl::Status GenerateTraces(
    FitClient* client, const v1::GenerateTracesRequest& request,
    const std::function<absl::Status(const v1::TraceHeader&)>& accepted,
    const std::function<absl::Status(const Recording&)>& take);

}  // namespace somafit
