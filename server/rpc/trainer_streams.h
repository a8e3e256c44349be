#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "proto/convert/status.h"
#include "server/rpc/call.h"
#include "server/rpc/collected_call.h"
#include "server/rpc/parts.h"
#include "server/rpc/pumped_stream.h"
#include "server/rpc/raw_reader.h"
#include "server/rpc/streams.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/core/base/status.h"

namespace somafit {

// Sends bytes in chunks; one is in flight at a time. Message has a `chunk`.
template <typename Message>
class ChunkStream final : public grpc::ServerWriteReactor<Message> {
 public:
  using Load = std::function<absl::StatusOr<std::string>()>;
  // `load` runs on `work`.
  ChunkStream(std::string_view method, Executor& work, Load load)
      : method_(method), begin_(std::chrono::steady_clock::now()) {
    work.Post([this, load = std::move(load)] {
      absl::StatusOr<std::string> loaded = load();
      if (!loaded.ok()) return FinishWith(loaded.status());
      bytes_ = *std::move(loaded);
      SendNext();
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return FinishWith(absl::CancelledError("the client is gone"));
    SendNext();
  }
  void OnDone() override { delete this; }

 private:
  void SendNext() {
    if (sent_ == bytes_.size()) return FinishWith(absl::OkStatus());
    const size_t size = std::min(kMaxChunk, bytes_.size() - sent_);
    message_.set_chunk(bytes_.data() + sent_, size);
    sent_ += size;
    this->StartWrite(&message_);
  }
  void FinishWith(const absl::Status& status) {
    LogCall(method_, "", status, begin_);
    this->Finish(Sendable(status));
  }

  const std::string_view method_;
  const std::chrono::steady_clock::time_point begin_;
  std::string bytes_;
  size_t sent_ = 0;
  Message message_;
};

// Receives a trainer's report in messages, and hands on what they were
// together.
template <typename Request>
class TrainerReport final : public CollectedCall<Request> {
 public:
  // What is wrong with a message; `first` is true of one.
  using TakeMessage = std::function<absl::Status(Request& message, bool first)>;
  // What is wrong with the whole.
  using Check = std::function<absl::Status()>;
  using Decide = std::function<absl::Status(Coordinator&, Now, Effects&)>;

  TrainerReport(ServerParts& parts, std::atomic<size_t>& held,
                std::string_view method, grpc::CallbackServerContext* context,
                TakeMessage take, Check check, Decide decide)
      : CollectedCall<Request>(parts, method, held, context),
        take_(std::move(take)),
        check_(std::move(check)),
        decide_(std::move(decide)) {
    this->Begin();
  }

 private:
  absl::Status Take(Request& message, bool first) override {
    SOMAFIT_RETURN_IF_ERROR(this->Hold(message.ByteSizeLong()));
    return take_(message, first);
  }
  absl::Status Run() override {
    SOMAFIT_RETURN_IF_ERROR(check_());
    auto status = std::make_shared<absl::Status>();
    this->parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          *status = decide_(coordinator, now, effects);
        },
        [this, status] { this->FinishWith(*status); });
    return absl::OkStatus();
  }

  const TakeMessage take_;
  const Check check_;
  const Decide decide_;
};

// Sends what an inference has simulated to the trainer that learns from it,
// page by page from disk.
class SimulationStream final : public PumpedStream<v1::SimulationBlock> {
 public:
  static SimulationStream* Start(ServerParts& parts, TrainerTask task);

 private:
  SimulationStream(ServerParts& parts, TrainerTask task);
  void Step() override;
  void Closed() override {}
  absl::Status Add(const SampleRow& row);

  ServerParts& parts_;
  const TrainerTask task_;
  FitRecord fit_;
  int64_t last_ = -1;  // sample sent
  RawReader raw_;
  v1::SimulationBlock message_;
};

}  // namespace somafit
