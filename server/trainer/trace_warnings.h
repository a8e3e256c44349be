#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/core/objective/x_columns.h"

namespace somafit {

// What is to be said about simulations whose x is raw traces [n x columns], all
// finite, and about the observation: what FeatureWarnings says of features, but
// for what traces always have, such as a first step that never varies. One pass
// over x, whatever the number of columns.
std::vector<std::string> TraceWarnings(const XColumns& columns,
                                       std::span<const float> x,
                                       std::span<const double> observation);

}  // namespace somafit
