#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// Points to evaluate, in the fit's order of parameters.
struct Points {
  std::vector<std::string> parameters;
  std::vector<double> values;  // [points x parameters], SI, row-major
};

// A CSV text whose header names each parameter of the fit once, in any order:
// "gl" (numbers in SI) or "gl [nS]". Errors name line, column and text.
absl::StatusOr<Points> ParsePoints(absl::string_view text,
                                   const std::string& path, const v1::Fit& fit);

// A table of simulations: also a column for each of `features`, in which an
// empty cell and "nan" mean that there is no number.
struct SimulationTable {
  Points theta;
  std::vector<double> x;  // [points x features], row-major
};
absl::StatusOr<SimulationTable> ParseSimulations(
    absl::string_view text, const std::string& path, const v1::Fit& fit,
    const std::vector<std::string>& features);

}  // namespace somafit
