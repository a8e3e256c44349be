#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/rpc/dataset_shelf.h"
#include "server/study/plan.h"
#include "somafit/v1/fit_service.pb.h"
#include "worker/core/data/recording.h"

namespace somafit {

struct ServerParts;

// The inference "fits/NAME", as it is now; FailedPrecondition for a fit.
absl::StatusOr<FitRecord> FindInference(ServerParts& parts,
                                        const std::string& resource);

// Loads the dataset that `spec` names and resolves the plan. Blocks. Warnings,
// as people read them, go to `warnings` unless it is null.
absl::StatusOr<FitPlan> PlanOf(const FitSpec& spec,
                               const std::string& model_hash,
                               DatasetShelf& datasets,
                               std::string* warnings = nullptr);

// Refuses fits whose rounds or results do not fit into one message.
absl::Status CheckMessageSizes(const FitPlan& plan, int64_t n_samples,
                               const std::string& field);

// Refuses inferences of more numbers of x than a trainer holds.
absl::Status CheckNumbersOfX(const FitPlan& plan);

// A request's points, [points x parameters], in the order of the plan's
// parameters. Fixed ones may be left out.
absl::StatusOr<std::vector<std::vector<double>>> PointsOf(
    const google::protobuf::RepeatedPtrField<std::string>& parameters,
    const google::protobuf::RepeatedField<double>& points, const FitPlan& plan);

// What it takes to record variables of the plan's model.
struct PlannedRecording {
  std::vector<Channel> variables;  // as named
  RecordingShape shape;            // of one point
};
// Checks by the very code that workers run. Blocks. InvalidArgument names a
// variable that the model does not have.
absl::StatusOr<PlannedRecording> RecordingOf(
    const FitPlan& plan, const std::vector<std::string>& names,
    DatasetShelf& datasets);

}  // namespace somafit
