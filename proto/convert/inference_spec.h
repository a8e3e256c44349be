#pragma once

#include "absl/status/statusor.h"

#include "proto/convert/violations.h"
#include "somafit/v1/fit.pb.h"
#include "somafit/v1/inference.pb.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

// What FitSpec.inference holds; see spec.h.

FeatureSpec FromProto(const v1::FeatureSpec& message);
v1::FeatureSpec ToProto(const FeatureSpec& feature);

DensityEstimatorSpec FromProto(const v1::DensityEstimatorSpec& message);
v1::DensityEstimatorSpec ToProto(const DensityEstimatorSpec& estimator);

TrainingSpec FromProto(const v1::TrainingSpec& message);
v1::TrainingSpec ToProto(const TrainingSpec& training);

InferenceSpec FromProto(const v1::InferenceSpec& message);
v1::InferenceSpec ToProto(const InferenceSpec& inference);

// Columns of x: `names`, or of raw traces `traces`.
void ToProto(const XColumns& columns,
             google::protobuf::RepeatedPtrField<std::string>* names,
             google::protobuf::RepeatedPtrField<v1::TraceColumns>* traces);
// InvalidArgument for both, and for numbers beyond limits.
absl::StatusOr<XColumns> FromProto(
    const google::protobuf::RepeatedPtrField<std::string>& names,
    const google::protobuf::RepeatedPtrField<v1::TraceColumns>& traces);

// `spec` with what the message gives: an algorithm, features, estimator,
// training, observation, simulator.
InferenceSpec ContinuedSpec(InferenceSpec spec,
                            const v1::InferenceSpec& message);

// What cannot be represented, or is beyond limits. `field` is put before names.
void CheckTraining(const std::string& field, const v1::TrainingSpec& message,
                   Violations& violations);
void CheckInference(const v1::InferenceSpec& message, Violations& violations);

}  // namespace somafit
