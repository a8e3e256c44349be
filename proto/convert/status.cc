#include "proto/convert/status.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"

#include "somafit/v1/error_details.pb.h"

namespace somafit {
namespace {

constexpr char kDetailsUrl[] = "type.googleapis.com/google.rpc.Status";
constexpr char kDomain[] = "somafit";

// Trailers of more than 8 KiB are refused by peers with gRPC's default
// settings, and the user would not see the message at all.
constexpr size_t kMaxMessage = 4000;
constexpr size_t kMaxDetails = 3000;

// Length of the lead byte's UTF-8 sequence if it is whole and valid, else 0.
size_t SequenceLength(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t length = lead < 0x80           ? 1
                        : (lead >> 5) == 0x06 ? 2
                        : (lead >> 4) == 0x0e ? 3
                        : (lead >> 3) == 0x1e ? 4
                                              : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) >> 6) != 0x02) return 0;
  }
  return length;
}

// `text` as valid UTF-8 whose percent-encoded form, which is what travels, has
// at most `limit` bytes.
std::string Travelling(std::string_view text, size_t limit) {
  std::string result;
  size_t encoded = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text, i);
    const std::string_view piece =
        length == 0 ? std::string_view("?") : text.substr(i, length);
    const bool plain =
        piece.size() == 1 && piece[0] >= ' ' && piece[0] <= '~' && piece != "%";
    encoded += plain ? 1 : 3 * piece.size();
    if (encoded > limit) return result + "\n[cut]";
    result += piece;
    i += std::max<size_t>(length, 1);
  }
  return result;
}

std::optional<google::rpc::Status> DetailsOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailsUrl);
  google::rpc::Status details;
  if (!payload || !details.ParseFromString(std::string(*payload))) {
    return std::nullopt;
  }
  return details;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message =
      Travelling(std::string(status.message()), kMaxMessage);
  const auto payload = status.GetPayload(kDetailsUrl);
  return grpc::Status(code, message, payload ? std::string(*payload) : "");
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
  if (!status.error_details().empty()) {
    result.SetPayload(kDetailsUrl, absl::Cord(status.error_details()));
  }
  return result;
}

absl::Status WithReason(absl::Status status, std::string reason,
                        std::vector<FieldViolation> violations) {
  if (status.ok()) return status;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  google::rpc::ErrorInfo info;
  info.set_reason(std::move(reason));
  info.set_domain(kDomain);
  details.add_details()->PackFrom(info);
  google::rpc::BadRequest request;
  for (const FieldViolation& violation : violations) {
    auto* field = request.add_field_violations();
    field->set_field(Travelling(violation.field, 200));
    field->set_description(Travelling(violation.description, 500));
    if (request.ByteSizeLong() > kMaxDetails) {
      request.mutable_field_violations()->RemoveLast();
      break;
    }
  }
  if (request.field_violations_size() > 0) {
    details.add_details()->PackFrom(request);
  }
  status.SetPayload(kDetailsUrl, absl::Cord(details.SerializeAsString()));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const std::optional<google::rpc::Status> details = DetailsOf(status);
  if (!details) return "";
  for (const google::protobuf::Any& detail : details->details()) {
    google::rpc::ErrorInfo info;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info)) {
      return info.reason();
    }
  }
  return "";
}

}  // namespace somafit
