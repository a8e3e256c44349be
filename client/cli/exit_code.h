#pragma once

#include "absl/status/status.h"

namespace somafit {

// Exit statuses of every command, as --help lists them.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,      // also: the fit did not succeed
  kBadInput = 2,     // command line, file or request
  kUnreachable = 3,  // no coordinator answers
  kNoAccess = 4,     // not found, or not allowed
};

ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace somafit
