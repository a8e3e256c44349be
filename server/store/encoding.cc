#include "server/store/encoding.h"

#include <bit>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <google/protobuf/util/json_util.h>

#include "proto/convert/spec.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

static_assert(std::endian::native == std::endian::little);

absl::Status Unreadable(std::string_view what, std::string_view value) {
  return absl::DataLossError(absl::StrCat(
      "the database holds a ", std::string(what),
      " that cannot be read: ", std::string(value.substr(0, 200))));
}

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json);
  if (!status.ok()) {
    return absl::InternalError(
        absl::StrCat("cannot be stored as JSON: ", status.ToString()));
  }
  return json;
}

absl::Status FromJson(const std::string& json,
                      google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  // Written by a newer release of the same schema version.
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(json, message, options)
           .ok()) {
    return Unreadable("description", json);
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view BytesOf(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(double)};
}

std::string EncodeDoubles(const std::vector<double>& values) {
  return std::string(BytesOf(values));
}

absl::StatusOr<std::vector<double>> DecodeDoubles(std::string_view bytes) {
  if (bytes.size() % sizeof(double) != 0) {
    return Unreadable("list of numbers",
                      absl::StrCat(bytes.size(), " bytes long"));
  }
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  }
  return values;
}

std::string EncodeDimension(const Dimension& dimension) {
  std::string text;
  for (const double exponent : dimension.exponents()) {
    absl::StrAppend(&text, text.empty() ? "" : ",", ShortestText(exponent));
  }
  return text;
}

absl::StatusOr<Dimension> DecodeDimension(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  std::array<double, 7> exponents{};
  if (parts.size() != exponents.size()) return Unreadable("dimension", text);
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::optional<double> exponent = ReadNumber(parts[i]);
    if (!exponent) return Unreadable("dimension", text);
    exponents[i] = *exponent;
  }
  return Dimension(exponents);
}

absl::StatusOr<std::string> EncodeSpec(const FitSpec& spec) {
  return ToJson(ToProto(spec));
}

absl::StatusOr<FitSpec> DecodeSpec(const std::string& json) {
  v1::FitSpec message;
  SOMAFIT_RETURN_IF_ERROR(FromJson(json, &message));
  return FromProto(message);
}

absl::StatusOr<std::string> EncodeModel(const ModelSource& source) {
  return ToJson(ToProto(source));
}

absl::StatusOr<ModelSource> DecodeModel(const std::string& json) {
  v1::Model message;
  SOMAFIT_RETURN_IF_ERROR(FromJson(json, &message));
  return FromProto(message);
}

absl::StatusOr<FitState> DecodeFitState(std::string_view text) {
  for (const FitState state :
       {FitState::kRunning, FitState::kGated, FitState::kPaused,
        FitState::kSucceeded, FitState::kCancelled, FitState::kFailed}) {
    if (FitStateName(state) == text) return state;
  }
  return Unreadable("state of a fit", text);
}

absl::StatusOr<SampleStatus> DecodeSampleStatus(std::string_view text) {
  for (const SampleStatus status :
       {SampleStatus::kDrawn, SampleStatus::kOk, SampleStatus::kNonfinite,
        SampleStatus::kFailed, SampleStatus::kCancelled,
        SampleStatus::kAbandoned}) {
    if (SampleStatusName(status) == text) return status;
  }
  return Unreadable("status of a sample", text);
}

std::string_view StageKindName(StageKind kind) {
  return kind == StageKind::kOptimize ? "optimize" : "evaluate";
}

absl::StatusOr<StageKind> DecodeStageKind(std::string_view text) {
  if (text == "optimize") return StageKind::kOptimize;
  if (text == "evaluate") return StageKind::kEvaluate;
  return Unreadable("kind of a stage", text);
}

}  // namespace somafit
