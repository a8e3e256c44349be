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

// Whether a TorchScript module may be run: it is code of whoever made it.
enum class Scripts { kRefused, kAllowed };

// DataLoss for bytes that EncodeEstimator did not write; nothing is allocated
// that they do not have the size for. PermissionDenied for a TorchScript module
// inside that is not allowed. `device`: see ResolveDevice.
absl::StatusOr<std::unique_ptr<TrainedEstimator>> DecodeEstimator(
    std::string_view bytes, std::string_view device = "cpu",
    Scripts scripts = Scripts::kRefused);
// What is to be said where one is not allowed.
absl::Status ScriptRefused();

}  // namespace somafit
