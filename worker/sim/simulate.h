#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/core/data/dataset.h"
#include "worker/core/ir/program.h"

namespace somafit {

// What `program` does on every trace of `dataset`, whose targets are not read:
// result[trace][output][step], in SI, each sample before the update of its
// step. `parameters_si` has one number per parameter. InvalidArgument where the
// lengths do not fit.
absl::StatusOr<std::vector<std::vector<std::vector<double>>>> Simulate(
    const Program& program, const Dataset& dataset,
    std::span<const double> parameters_si);

}  // namespace somafit
