#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/rpc/dataset_shelf.h"
#include "server/study/plan.h"
#include "somafit/v1/fit_service.pb.h"

namespace somafit {

// Loads the dataset that `spec` names and resolves the plan. Blocks. Warnings,
// as people read them, go to `warnings` unless it is null.
absl::StatusOr<FitPlan> PlanOf(const FitSpec& spec,
                               const std::string& model_hash,
                               DatasetShelf& datasets,
                               std::string* warnings = nullptr);

// Refuses fits whose rounds or results do not fit into one message.
absl::Status CheckMessageSizes(const FitPlan& plan, int64_t n_samples,
                               const std::string& field);

// The request's points in the order of the plan's parameters.
absl::StatusOr<std::vector<std::vector<double>>> PointsOf(
    const v1::EvaluatePointsRequest& request, const FitPlan& plan);

}  // namespace somafit
