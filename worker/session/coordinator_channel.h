#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <grpcpp/grpcpp.h>

#include "somafit/v1/endpoint.pb.h"

namespace somafit {

// How long calls may take.
constexpr auto kUnaryLimit = std::chrono::seconds(10);
constexpr auto kTransferLimit = std::chrono::seconds(600);

// A channel to the coordinator, and what all calls over it have in common.
// Whether anybody listens is found out by the first call. Thread-safe.
class CoordinatorChannel {
 public:
  explicit CoordinatorChannel(const v1::Endpoint& endpoint);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Gives a call its deadline and the token.
  void Prepare(grpc::ClientContext& context, std::chrono::seconds limit) const;
  // The status of a call; says which coordinator could not be reached.
  absl::Status Placed(const grpc::Status& status) const;

  // Makes a call that waits for work, one at a time. Cancelled after
  // StopWaiting, which ends one under way too.
  absl::Status Wait(
      const std::function<grpc::Status(grpc::ClientContext*)>& call);
  void StopWaiting();

  // The chunks of a stream, joined; DataLoss with the message `too_large` where
  // they are more than `most` bytes.
  template <typename Chunk>
  absl::StatusOr<std::string> ReadChunks(grpc::ClientContext& context,
                                         grpc::ClientReader<Chunk>& reader,
                                         size_t most,
                                         const std::string& too_large) const {
    std::string bytes;
    Chunk chunk;
    while (reader.Read(&chunk)) {
      if (bytes.size() + chunk.chunk().size() > most) {
        context.TryCancel();
        (void)reader.Finish();
        return absl::DataLossError(too_large);
      }
      bytes += chunk.chunk();
    }
    if (const absl::Status read = Placed(reader.Finish()); !read.ok()) {
      return read;
    }
    return bytes;
  }

 private:
  const std::string address_;
  const std::string token_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::mutex mutex_;
  grpc::ClientContext* waiting_ = nullptr;
  bool stopped_ = false;
};

}  // namespace somafit
