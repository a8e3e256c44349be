#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include <grpcpp/support/status.h>

namespace somafit {

// The only place that names both kinds of status. Codes are equal one to one.
// Details (ErrorInfo, BadRequest) travel as google.rpc.Status bytes in both.

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

struct FieldViolation {
  std::string field;
  std::string description;
};

// A status with ErrorInfo{reason, domain "somafit"} and BadRequest details.
// `reason` is UPPER_SNAKE.
absl::Status WithReason(absl::Status status, std::string reason,
                        std::vector<FieldViolation> violations = {});
// The reason of a status made by WithReason, or "".
std::string ReasonOf(const absl::Status& status);

}  // namespace somafit
