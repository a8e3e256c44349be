#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// "10*nS", or a plain number in SI, as SI; InvalidArgument names `what`, and a
// unit that is not the variable's.
absl::StatusOr<double> ParseParameterValue(absl::string_view text,
                                           const v1::Variable& variable,
                                           absl::string_view what);

// "gl=10*nS" with a name of one of `variables`: its number, and what stands
// behind "=". InvalidArgument names `what` and the names that there are.
absl::StatusOr<std::pair<int, std::string>> ParseAssignment(
    absl::string_view text, const std::vector<v1::Variable>& variables,
    absl::string_view what);

// Plain numbers: "1.5,2,3", or of a file, ".npy" or text with commas, blanks or
// one number a line; a header of names is left out. InvalidArgument unless they
// are `size` finite numbers.
absl::StatusOr<std::vector<double>> ReadNumbers(const std::string& text_or_path,
                                                int size,
                                                absl::string_view what);

}  // namespace somafit
