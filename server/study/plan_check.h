#pragma once

#include <optional>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Checks how outputs are compared with `dataset`, and replaces `metrics` by one
// per output, in its order, with names filled in. `dt` is nullopt where it is
// wrong itself. Returns the dimension of the total error: that of each output's
// normalized error, which must all agree; nullopt after an error.
std::optional<Dimension> CheckMetrics(std::vector<MetricSpec>& metrics,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics);

}  // namespace somafit
