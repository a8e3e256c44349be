#pragma once

#include "absl/status/statusor.h"

#include "somafit/v1/fit.pb.h"
#include "somafit/v1/worker_service.pb.h"
#include "worker/core/data/evaluation.h"

namespace somafit {

v1::SampleStatus ToProto(SampleStatus status);
absl::StatusOr<SampleStatus> FromProto(v1::SampleStatus status);

v1::SampleResult ToProto(int64_t sample, const Evaluation& evaluation);
// Refuses a number of errors other than n_outputs, n_outputs * n_traces.
absl::StatusOr<Evaluation> FromProto(const v1::SampleResult& message,
                                     size_t n_outputs, size_t n_traces);

}  // namespace somafit
