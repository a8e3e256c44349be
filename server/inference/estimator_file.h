#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "server/inference/trained_estimator.h"

namespace somafit {

// An estimator as bytes, complete: FORMAT.md. The same on every device, and
// read back to the same weights, bit for bit.
std::string EncodeEstimator(const TrainedEstimator& estimator);

// DataLoss for bytes that EncodeEstimator did not write; nothing is allocated
// that they do not have the size for. A TorchScript module inside is code of
// whoever made the file, and runs: read files of strangers apart from anything
// that matters. `device`: see ResolveDevice.
absl::StatusOr<std::unique_ptr<TrainedEstimator>> DecodeEstimator(
    std::string_view bytes, std::string_view device = "cpu");

}  // namespace somafit
