#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace somafit {

// The path of another program of this installation: it lies beside this one.
absl::StatusOr<std::string> ProgramBeside(const std::string& name);

}  // namespace somafit
