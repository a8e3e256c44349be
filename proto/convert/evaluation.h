#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "somafit/v1/fit.pb.h"
#include "somafit/v1/worker_service.pb.h"
#include "worker/core/data/evaluation.h"

namespace somafit {

v1::SampleStatus ToProto(SampleStatus status);
absl::StatusOr<SampleStatus> FromProto(v1::SampleStatus status);

v1::SampleResult ToProto(int64_t sample, const Evaluation& evaluation);
// Refuses a number of errors other than n_outputs, n_outputs * n_traces, and of
// raw traces' numbers other than n_raw.
absl::StatusOr<Evaluation> FromProto(const v1::SampleResult& message,
                                     size_t n_outputs, size_t n_traces,
                                     size_t n_raw = 0);

// float32 as messages and files have it, little-endian.
std::string FloatBytes(std::span<const float> values);
// What lacks a whole number is left out.
void AppendFloats(std::string_view bytes, std::vector<float>& values);

}  // namespace somafit
