#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "somafit/v1/endpoint.pb.h"

namespace somafit {

// How to reach a coordinator, and where we know it from.
struct KnownEndpoint {
  v1::Endpoint endpoint;
  std::string path;     // of the file, for messages
  std::string warning;  // what the user should know about the file, or ""
};

// Reads the JSON of an endpoint file. Errors name the file and the remedy.
absl::StatusOr<v1::Endpoint> ParseEndpoint(std::string_view json,
                                           const std::string& path);
absl::StatusOr<KnownEndpoint> ReadEndpointFile(const std::string& path);

// The file given on the command line, else that of SOMAFIT_ENDPOINT, else an
// error that says how to give one.
absl::StatusOr<KnownEndpoint> FindEndpoint(const std::string& given);

}  // namespace somafit
