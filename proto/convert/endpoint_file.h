#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "somafit/v1/endpoint.pb.h"

namespace somafit {

// An endpoint file: the JSON of v1.Endpoint, readable by its owner only.

// NotFound if there is no such file; InvalidArgument if it is not one.
absl::StatusOr<v1::Endpoint> LoadEndpoint(const std::string& path);

// Replaces the file as a whole (mode 0600): a reader sees the old or the new.
absl::Status StoreEndpoint(const std::string& path,
                           const v1::Endpoint& endpoint);

}  // namespace somafit
