#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include <grpcpp/support/server_callback.h>

#include "server/rpc/call.h"
#include "server/rpc/parts.h"

namespace somafit {

// A call whose client streams one thing in pieces: they are taken in, and then
// it is decided about the whole. Deletes itself.
template <typename Request>
class CollectedCall : public grpc::ServerReadReactor<Request> {
 public:
  void OnReadDone(bool ok) final {
    if (ok) {
      const absl::Status status = Take(message_, std::exchange(first_, false));
      if (!status.ok()) return FinishWith(status);
      return this->StartRead(&message_);
    }
    if (context_->IsCancelled()) {
      return FinishWith(absl::CancelledError("the call was cancelled"));
    }
    parts_.slow.Post([this] {
      if (const absl::Status status = Run(); !status.ok()) FinishWith(status);
    });
  }
  void OnDone() final {
    held_.fetch_sub(counted_);
    delete this;
  }

 protected:
  // `held` counts the bytes of all calls of a kind; it outlives them.
  CollectedCall(ServerParts& parts, std::string_view method,
                std::atomic<size_t>& held, grpc::CallbackServerContext* context)
      : parts_(parts), method_(method), held_(held), context_(context) {}

  // To be called at the end of the final class's constructor.
  void Begin() { this->StartRead(&message_); }
  // Keeps what it wants of a message; an error ends the call.
  virtual absl::Status Take(Request& message, bool first) = 0;
  // The whole is there. Blocks. Calls FinishWith, now or later, unless it
  // returns an error.
  virtual absl::Status Run() = 0;

  // Counts bytes that are kept until the call's end.
  absl::Status Hold(size_t bytes) {
    constexpr size_t kMostHeld = size_t{1} << 30;
    if (held_.fetch_add(bytes) + bytes > kMostHeld) {
      held_.fetch_sub(bytes);
      return absl::ResourceExhaustedError(
          "too much is being sent at once; try again later");
    }
    counted_ += bytes;
    return absl::OkStatus();
  }
  size_t counted() const { return counted_; }

  void FinishWith(const absl::Status& status) {
    LogCall(method_, request_id_, status, begin_);
    this->Finish(Sendable(status));
  }

  ServerParts& parts_;
  std::string request_id_;  // where there is one

 private:
  const std::string_view method_;
  std::atomic<size_t>& held_;
  grpc::CallbackServerContext* const context_;
  const std::chrono::steady_clock::time_point begin_ =
      std::chrono::steady_clock::now();
  Request message_;
  bool first_ = true;
  size_t counted_ = 0;  // of held_
};

}  // namespace somafit
