#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include <grpcpp/support/server_callback.h>

#include "proto/convert/status.h"
#include "server/rpc/call.h"
#include "server/rpc/executor.h"

namespace somafit {

// A stream of messages to a client that is made as it is read: the next message
// is looked for when the write before has been done, so that nothing gathers
// for a slow reader. When there is none the stream rests until it is woken.
//
// Lives until OnDone, and longer where somebody holds a reference.
template <typename Message>
class PumpedStream
    : public grpc::ServerWriteReactor<Message>,
      public std::enable_shared_from_this<PumpedStream<Message>> {
 public:
  // There may be something new.
  void Wake() {
    {
      std::lock_guard lock(mutex_);
      if (finished_) return;
      awake_ = true;
      if (busy_) return;
      busy_ = true;
    }
    PostPump();
  }

  // End with this status as soon as no write is under way.
  void End(absl::Status status) {
    {
      std::lock_guard lock(mutex_);
      if (finished_) return;
      if (ending_.ok()) ending_ = std::move(status);
      if (busy_) return;
      busy_ = true;
    }
    PostPump();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return FinishOnce(absl::CancelledError("the client is gone"));
    PostPump();
  }
  void OnCancel() override {
    End(absl::CancelledError("the call was cancelled"));
  }
  void OnDone() override {
    Closed();
    // Work that still holds a reference does nothing more than to drop it.
    auto last = std::move(self_);
  }

 protected:
  // `work` runs Step. The stream begins busy: whoever opens it calls PostPump.
  PumpedStream(std::string_view method, Executor& work)
      : method_(method),
        work_(work),
        begin_(std::chrono::steady_clock::now()) {}

  // Runs alone, on the executor: calls StartWrite, Rest, PostPump or
  // FinishOnce, at once or by what it has begun.
  virtual void Step() = 0;
  // The call is over.
  virtual void Closed() = 0;

  // From now on it lives until OnDone.
  void KeepAlive() { self_ = this->shared_from_this(); }
  void PostPump() {
    work_.Post([self = this->shared_from_this()] { self->Pump(); });
  }
  // There is nothing to send now.
  void Rest() {
    {
      std::lock_guard lock(mutex_);
      if (!awake_ && ending_.ok()) {
        busy_ = false;
        return;
      }
    }
    PostPump();
  }
  void FinishOnce(const absl::Status& status) {
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(finished_, true)) return;
    }
    LogCall(method_, "", status, begin_);
    this->Finish(Sendable(status));
  }

 private:
  void Pump() {
    {
      std::unique_lock lock(mutex_);
      if (!ending_.ok()) {
        const absl::Status status = ending_;
        lock.unlock();
        return FinishOnce(status);
      }
      awake_ = false;
    }
    Step();
  }

  const std::string_view method_;
  Executor& work_;
  const std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<PumpedStream> self_;  // until OnDone

  std::mutex mutex_;
  bool busy_ = true;    // stepping, or a write is under way
  bool awake_ = false;  // woken while busy
  bool finished_ = false;
  absl::Status ending_;  // not Ok: end with this
};

}  // namespace somafit
