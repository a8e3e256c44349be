#include "server/rpc/call.h"

#include <spdlog/spdlog.h>

#include "proto/convert/status.h"

namespace somafit {

void LogCall(std::string_view method, std::string_view request_id,
             const absl::Status& status,
             std::chrono::steady_clock::time_point begin) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  spdlog::debug("event=call method={} code={} us={} request_id={}", method,
                absl::StatusCodeToString(status.code()), took.count(),
                request_id.empty() ? "-" : request_id);
}

grpc::Status Sendable(const absl::Status& status) {
  if (status.ok() || !ReasonOf(status).empty()) return ToGrpc(status);
  return ToGrpc(WithReason(status, absl::StatusCodeToString(status.code())));
}

absl::Status OfSession(const absl::Status& status) {
  return absl::IsNotFound(status) ? WithReason(status, "SESSION_UNKNOWN")
                                  : status;
}

void UnaryCall::Finish(const absl::Status& status) {
  LogCall(method_, request_id_, status, begin_);
  reactor_->Finish(Sendable(status));
}

}  // namespace somafit
