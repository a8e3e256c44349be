#include "proto/convert/experiment_outline.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include "proto/convert/spec.h"
#include "worker/core/base/status.h"
#include "worker/core/data/dataset.h"

namespace somafit {
namespace {

constexpr int kMaxList = 1000;  // entries of one list, as in a fit

absl::Status CheckCount(std::string_view field, int count, size_t most) {
  if (static_cast<size_t>(count) <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(std::string(field), " has ",
                                                 count, " entries; at most ",
                                                 most, " are allowed"));
}

absl::Status CheckSize(size_t bytes) {
  if (bytes <= kMaxOutlineBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the experiment's outline has ", bytes, " bytes or more; at most ",
      kMaxOutlineBytes, " are read: shorten its equations or its lists"));
}

absl::Status Check(const v1::ExperimentOutline& message) {
  SOMAFIT_RETURN_IF_ERROR(
      CheckCount("data.inputs", message.inputs_size(), kMaxChannels));
  SOMAFIT_RETURN_IF_ERROR(
      CheckCount("data.outputs", message.outputs_size(), kMaxChannels));
  SOMAFIT_RETURN_IF_ERROR(
      CheckCount("parameters", message.parameters_size(), kMaxList));
  SOMAFIT_RETURN_IF_ERROR(
      CheckCount("metrics", message.metrics_size(), kMaxList));
  SOMAFIT_RETURN_IF_ERROR(
      CheckCount("trace_steps", message.trace_steps_size(), kMaxTraces));
  for (const int64_t steps : message.trace_steps()) {
    if (steps > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "trace_steps holds ", steps, "; a trace has at least one step"));
  }
  return absl::OkStatus();
}

template <typename List>
std::vector<ChannelOutline> ChannelsFromProto(const List& list) {
  std::vector<ChannelOutline> channels;
  channels.reserve(list.size());
  for (const v1::ChannelOutline& channel : list) {
    channels.push_back({channel.name(), channel.unit()});
  }
  return channels;
}

// Whether all texts are UTF-8, as the wire wants them.
bool IsUtf8(const v1::ExperimentOutline& message) {
  // It would log each on stderr, field by field, for those who know it.
  const google::protobuf::LogSilencer silence;
  v1::ExperimentOutline copy;
  return copy.ParseFromString(message.SerializeAsString());
}

// The parser's reason without the excerpt of the text that follows it.
std::string Reason(const google::protobuf::util::Status& status) {
  const std::string text(status.message().data(), status.message().size());
  std::string line = text.substr(0, text.find('\n'));
  for (char& c : line) {
    if (c < ' ' || c > '~') c = '?';
  }
  while (!line.empty() && line.back() == '.') line.pop_back();
  return line;
}

}  // namespace

absl::StatusOr<std::string> EncodeOutline(
    const v1::ExperimentOutline& message) {
  SOMAFIT_RETURN_IF_ERROR(CheckSize(message.ByteSizeLong()));
  if (!IsUtf8(message)) {
    return absl::InvalidArgumentError(
        "the fit's texts hold bytes that are not UTF-8; save its file as "
        "UTF-8");
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!printed.ok()) {
    return absl::InternalError(
        absl::StrCat("the fit cannot be passed on: ", Reason(printed)));
  }
  SOMAFIT_RETURN_IF_ERROR(CheckSize(json.size()));
  return json;
}

absl::StatusOr<ExperimentOutline> DecodeOutline(const std::string& json) {
  SOMAFIT_RETURN_IF_ERROR(CheckSize(json.size()));
  v1::ExperimentOutline message;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(json, &message);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "this is not the JSON of an experiment's outline: ", Reason(parsed)));
  }
  SOMAFIT_RETURN_IF_ERROR(Check(message));
  ExperimentOutline outline;
  outline.model = FromProto(message.model());
  outline.inputs = ChannelsFromProto(message.inputs());
  outline.outputs = ChannelsFromProto(message.outputs());
  outline.dt = message.dt();
  for (const v1::ParameterSpec& parameter : message.parameters()) {
    outline.parameters.push_back(FromProto(parameter));
  }
  for (const v1::MetricSpec& metric : message.metrics()) {
    outline.metrics.push_back(FromProto(metric));
  }
  outline.trace_steps.assign(message.trace_steps().begin(),
                             message.trace_steps().end());
  outline.penalty = message.penalty();
  outline.recordings_problem = message.recordings_problem();
  return outline;
}

}  // namespace somafit
