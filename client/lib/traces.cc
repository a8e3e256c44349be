#include "client/lib/traces.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/lib/trace_writer.h"
#include "proto/convert/traces.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A server that goes down in the middle of a message shows as INTERNAL or
// UNKNOWN with the transport's words.
bool IsLostConnection(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         absl::StrContains(status.error_message(), "RST_STREAM") ||
         absl::StrContains(status.error_message(), "Stream removed");
}

// One GenerateTraces call.
class TraceCall {
 public:
  TraceCall(FitClient* client, const v1::GenerateTracesRequest& request,
            const std::function<absl::Status(const v1::TraceHeader&)>& accepted,
            const std::function<absl::Status(const Recording&)>& take)
      : connection_(client->connection()),
        request_(request),
        accepted_(accepted),
        take_(take) {}

  absl::Status Run() {
    const absl::Status status =
        connection_.Retry([this](grpc::ClientContext* context) {
          const grpc::Status tried = Try(context);
          // What began is not begun again.
          return ended_.ok() ? tried : grpc::Status::OK;
        });
    return ended_.ok() ? status : ended_;
  }

 private:
  grpc::Status Try(grpc::ClientContext* context) {
    // Nobody knows how long; keepalive finds out whether anybody is there.
    context->set_deadline(std::chrono::system_clock::time_point::max());
    const auto stream = connection_.stub().GenerateTraces(context, request_);
    v1::GenerateTracesResponse message;
    while (ended_.ok() && stream->Read(&message)) ended_ = Read(message);
    if (!ended_.ok()) context->TryCancel();
    const grpc::Status status = stream->Finish();
    if (!ended_.ok() || !assembler_) return status;
    if (status.ok() && !assembler_->complete()) {
      ended_ = absl::InternalError(
          absl::StrCat("the coordinator's traces end at point ",
                       assembler_->next_point(), "; update somafit"));
    } else if (IsLostConnection(status)) {
      ended_ = absl::UnavailableError(absl::StrCat(
          "the connection to the coordinator at ",
          connection_.known().endpoint.address(),
          " was lost while traces were simulated; it keeps none of them: ask "
          "for them again when it is back"));
    }
    return status;
  }

  absl::Status Read(const v1::GenerateTracesResponse& message) {
    if (!assembler_) {
      SOMAFIT_ASSIGN_OR_RETURN(RecordingShape shape, ShapeOf(message.header()));
      assembler_.emplace(std::move(shape), 0, message.header().points());
      return accepted_(message.header());
    }
    bool took = true;
    const absl::Status added = assembler_->Add(
        message.pieces(), [&](int64_t, const Recording& recording) {
          const absl::Status taken = take_(recording);
          took = taken.ok();
          return taken;
        });
    if (added.ok() || !took) return added;
    return absl::InternalError(
        absl::StrCat("the coordinator's traces do not match what was asked "
                     "for: ",
                     added.message(), "; update somafit"));
  }

  Connection& connection_;
  const v1::GenerateTracesRequest& request_;
  const std::function<absl::Status(const v1::TraceHeader&)>& accepted_;
  const std::function<absl::Status(const Recording&)>& take_;
  std::optional<TraceAssembler> assembler_;  // once accepted
  absl::Status ended_;                       // by this side, or for good
};

}  // namespace

absl::Status GenerateTraces(
    FitClient* client, const v1::GenerateTracesRequest& request,
    const std::function<absl::Status(const v1::TraceHeader&)>& accepted,
    const std::function<absl::Status(const Recording&)>& take) {
  return TraceCall(client, request, accepted, take).Run();
}

}  // namespace somafit
