#include "proto/convert/evaluation.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {

// Floats on the wire are little-endian, as they are in memory.
static_assert(std::endian::native == std::endian::little);

namespace {

absl::Status CheckCount(const std::string& field, size_t given, size_t wanted,
                        int64_t sample) {
  if (given == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("result of sample ", sample, " has ", given, " values in ",
                   field, ", the fit needs ", wanted));
}

}  // namespace

v1::SampleStatus ToProto(SampleStatus status) {
  switch (status) {
    case SampleStatus::kDrawn:
      return v1::SAMPLE_STATUS_DRAWN;
    case SampleStatus::kOk:
      return v1::SAMPLE_STATUS_OK;
    case SampleStatus::kNonfinite:
      return v1::SAMPLE_STATUS_NONFINITE;
    case SampleStatus::kFailed:
      return v1::SAMPLE_STATUS_FAILED;
    case SampleStatus::kCancelled:
      return v1::SAMPLE_STATUS_CANCELLED;
    case SampleStatus::kAbandoned:
      return v1::SAMPLE_STATUS_ABANDONED;
  }
  return v1::SAMPLE_STATUS_UNSPECIFIED;
}

absl::StatusOr<SampleStatus> FromProto(v1::SampleStatus status) {
  switch (status) {
    case v1::SAMPLE_STATUS_DRAWN:
      return SampleStatus::kDrawn;
    case v1::SAMPLE_STATUS_OK:
      return SampleStatus::kOk;
    case v1::SAMPLE_STATUS_NONFINITE:
      return SampleStatus::kNonfinite;
    case v1::SAMPLE_STATUS_FAILED:
      return SampleStatus::kFailed;
    case v1::SAMPLE_STATUS_CANCELLED:
      return SampleStatus::kCancelled;
    case v1::SAMPLE_STATUS_ABANDONED:
      return SampleStatus::kAbandoned;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("sample status ", static_cast<int>(status),
                       " is unknown; use one of SampleStatus"));
  }
}

v1::SampleResult ToProto(int64_t sample, const Evaluation& evaluation) {
  v1::SampleResult message;
  message.set_sample(sample);
  message.set_status(ToProto(evaluation.status));
  if (evaluation.status == SampleStatus::kAbandoned) return message;
  message.set_total_error(evaluation.total_error);
  message.mutable_output_error()->Add(evaluation.output_errors.begin(),
                                      evaluation.output_errors.end());
  message.mutable_output_error_normalized()->Add(
      evaluation.output_errors_normalized.begin(),
      evaluation.output_errors_normalized.end());
  message.mutable_trace_error()->Add(evaluation.trace_errors.begin(),
                                     evaluation.trace_errors.end());
  message.set_reason(evaluation.reason);
  if (evaluation.penalty) message.set_penalty(*evaluation.penalty);
  message.set_raw_x(FloatBytes(evaluation.raw_x));
  return message;
}

std::string FloatBytes(std::span<const float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()),
                     values.size_bytes());
}

void AppendFloats(std::string_view bytes, std::vector<float>& values) {
  const size_t n = bytes.size() / sizeof(float), before = values.size();
  values.resize(before + n);
  if (n > 0) std::memcpy(&values[before], bytes.data(), n * sizeof(float));
}

absl::StatusOr<Evaluation> FromProto(const v1::SampleResult& message,
                                     size_t n_outputs, size_t n_traces,
                                     size_t n_raw) {
  const int64_t sample = message.sample();
  if (sample < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sample number ", sample, " is negative; samples count from 0"));
  }
  Evaluation result;
  SOMAFIT_ASSIGN_OR_RETURN(result.status, FromProto(message.status()));
  if (result.status == SampleStatus::kDrawn ||
      result.status == SampleStatus::kCancelled) {
    return absl::InvalidArgumentError(
        absl::StrCat("result of sample ", sample, " has status ",
                     std::string(SampleStatusName(result.status)),
                     ", which is no result; report ok, nonfinite, failed or "
                     "abandoned"));
  }
  constexpr size_t kMaxReason = 200;
  if (message.reason().size() > kMaxReason) {
    return absl::InvalidArgumentError(absl::StrCat(
        "result of sample ", sample, " has a reason of ",
        message.reason().size(), " characters; at most ", kMaxReason));
  }
  result.reason = message.reason();
  if (message.has_penalty()) result.penalty = message.penalty();
  const bool simulated = result.status == SampleStatus::kOk ||
                         result.status == SampleStatus::kNonfinite;
  if (message.raw_x().size() != n_raw * sizeof(float) &&
      (simulated || !message.raw_x().empty())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "result of sample ", sample, " has ", message.raw_x().size(),
        " bytes in raw_x, the fit needs ", n_raw * sizeof(float)));
  }
  AppendFloats(message.raw_x(), result.raw_x);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const bool may_be_without = result.status == SampleStatus::kFailed ||
                              result.status == SampleStatus::kAbandoned;
  if (may_be_without && message.output_error().empty() &&
      message.output_error_normalized().empty() &&
      message.trace_error().empty()) {
    result.total_error = nan;
    result.output_errors.assign(n_outputs, nan);
    result.output_errors_normalized.assign(n_outputs, nan);
    result.trace_errors.assign(n_outputs * n_traces, nan);
    return result;
  }
  SOMAFIT_RETURN_IF_ERROR(CheckCount(
      "output_error", message.output_error().size(), n_outputs, sample));
  SOMAFIT_RETURN_IF_ERROR(CheckCount("output_error_normalized",
                                     message.output_error_normalized().size(),
                                     n_outputs, sample));
  SOMAFIT_RETURN_IF_ERROR(CheckCount("trace_error",
                                     message.trace_error().size(),
                                     n_outputs * n_traces, sample));
  if (result.status == SampleStatus::kOk &&
      !std::isfinite(message.total_error())) {
    return absl::InvalidArgumentError(
        absl::StrCat("result of sample ", sample,
                     " is \"ok\" with a total error that is not finite; its "
                     "status must be nonfinite"));
  }
  result.total_error = message.total_error();
  result.output_errors.assign(message.output_error().begin(),
                              message.output_error().end());
  result.output_errors_normalized.assign(
      message.output_error_normalized().begin(),
      message.output_error_normalized().end());
  result.trace_errors.assign(message.trace_error().begin(),
                             message.trace_error().end());
  return result;
}

}  // namespace somafit
