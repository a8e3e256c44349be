#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "somafit/v1/endpoint.pb.h"

namespace somafit {

// How to reach a coordinator, and where we know it from.
struct KnownEndpoint {
  v1::Endpoint endpoint;
  std::string path;     // of the file, for messages
  std::string warning;  // what the user should know about the file, or ""
};

// Errors name the file and the remedy; Unavailable if there is none.
absl::StatusOr<KnownEndpoint> ReadEndpointFile(const std::string& path);

// The file given on the command line, else that of SOMAFIT_ENDPOINT, else an
// error that says how to give one.
absl::StatusOr<KnownEndpoint> FindEndpoint(const std::string& given);

}  // namespace somafit
