#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "server/rpc/call.h"
#include "server/rpc/executor.h"

namespace somafit {

// A call that waits in a WaitingQueue, and stops waiting when who made it is
// gone. Deletes itself.
template <typename Queue>
class WaitingCall : public grpc::ServerUnaryReactor {
 public:
  WaitingCall(std::string_view method, Queue& queue, Executor& executor,
              std::string session)
      : method_(method),
        queue_(queue),
        executor_(executor),
        session_(std::move(session)),
        begin_(std::chrono::steady_clock::now()),
        ticket_(queue.NewTicket()) {}

  void Begin(int max_tasks) {
    queue_.Wait(ticket_, session_, max_tasks,
                [this](const typename Queue::Result& result) {
                  if (result.ok()) Take(*result);
                  FinishWith(OfSession(result.status()));
                });
  }
  void FinishWith(const absl::Status& status) {
    LogCall(method_, "", status, begin_);
    Finish(Sendable(status));
  }

  void OnCancel() override {
    executor_.Post(
        [&queue = queue_, ticket = ticket_] { queue.Cancel(ticket); });
  }
  void OnDone() override { delete this; }

 protected:
  const std::string& session() const { return session_; }

 private:
  // Puts what the queue gave, if anything, into the response.
  virtual void Take(const typename Queue::Tasks& tasks) = 0;

  const std::string_view method_;
  Queue& queue_;
  Executor& executor_;
  const std::string session_;
  const std::chrono::steady_clock::time_point begin_;
  const uint64_t ticket_;
};

}  // namespace somafit
