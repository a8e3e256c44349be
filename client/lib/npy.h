#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace somafit {

// An array of NumPy's .npy format. `path` is for messages.
// Reads versions 1 and 2, <f4 <f8 <i4 <i8, C order, one or two dimensions; one
// dimension is one row, and `flat`, if given, is then set. Everything else is
// InvalidArgument, with the remedy.
absl::StatusOr<std::vector<std::vector<double>>> ParseNpy(
    absl::string_view bytes, const std::string& path, bool* flat = nullptr);

}  // namespace somafit
