#pragma once

#include "absl/status/statusor.h"

#include "somafit/v1/fit.pb.h"
#include "somafit/v1/fit_service.pb.h"
#include "somafit/v1/model.pb.h"
#include "somafit/v1/worker_service.pb.h"
#include "worker/core/data/fit_spec.h"

namespace somafit {

// Core types <-> messages. FromProto refuses (InvalidArgument) what cannot be
// represented, beyond-limit sizes included; it fills in no defaults except
// those that the message documents.

ModelSource FromProto(const v1::Model& message);
v1::Model ToProto(const ModelSource& source);

MetricSpec FromProto(const v1::MetricSpec& message);
v1::MetricSpec ToProto(const MetricSpec& metric);

ParameterSpec FromProto(const v1::ParameterSpec& message);
v1::ParameterSpec ToProto(const ParameterSpec& parameter);

// `fit` with what the request changes; the stop rules are the request's.
absl::StatusOr<FitSpec> ContinuedSpec(const FitSpec& fit,
                                      const v1::ContinueFitRequest& message);

// Refuses `data` files: the server takes no paths.
absl::StatusOr<FitSpec> FromProto(const v1::FitSpec& message);
v1::FitSpec ToProto(const FitSpec& spec);

}  // namespace somafit
