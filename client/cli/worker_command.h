#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace somafit {

// Runs somafit-worker, found beside this program, with `input` on its stdin; it
// writes to our stdout and stderr. Its exit status, once it has ended; Aborted
// if a signal ended it, NotFound if it cannot be started.
absl::StatusOr<int> RunWorkerCommand(const std::vector<std::string>& arguments,
                                     const std::string& input);

}  // namespace somafit
