#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

namespace somafit {

// Writes the log line of a call that has ended.
void LogCall(std::string_view method, std::string_view request_id,
             const absl::Status& status,
             std::chrono::steady_clock::time_point begin);

// `status` as it is sent: with a reason, that of its code if it has none.
grpc::Status Sendable(const absl::Status& status);

// `status` of a call by session, which NotFound means is not known.
absl::Status OfSession(const absl::Status& status);

// A unary call under way: is finished exactly once, by whoever has the answer.
// After Finish neither request nor response may be touched.
class UnaryCall {
 public:
  UnaryCall(std::string_view method, grpc::ServerUnaryReactor* reactor,
            std::string request_id = "")
      : method_(method),
        request_id_(std::move(request_id)),
        reactor_(reactor),
        begin_(std::chrono::steady_clock::now()) {}

  void Finish(const absl::Status& status);

 private:
  std::string_view method_;
  std::string request_id_;
  grpc::ServerUnaryReactor* reactor_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace somafit
