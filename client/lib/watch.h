#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "absl/status/status.h"

#include "client/lib/client.h"

namespace somafit {

// The events of one fit, each once and in order, over as many connections as it
// takes: a lost one is made again, from the last sequence number that came.
class Watch {
 public:
  Watch(FitClient* client, std::string fit, int64_t after_seq)
      : client_(client), fit_(std::move(fit)), seq_(after_seq) {}

  // Called for each event; false ends the watch.
  using Take = std::function<bool(const v1::FitEvent&)>;
  // Called when a connection is lost (with the reason) and when it is back
  // (with ""); once for each, however many attempts lie between.
  using Lost = std::function<void(const absl::Status&)>;

  enum class Until { kEnded, kTaken };

  // Returns when `take` says false or, unless `until` is kTaken, when the fit
  // has ended and all its events came. While the coordinator is away it tries
  // again without end. Cancelled after Cancel; other errors are final.
  absl::Status Run(Until until, const Take& take, const Lost& lost);

  // Ends Run from another thread. No call follows.
  void Cancel();

  int64_t seq() const { return seq_; }

 private:
  enum class Outcome { kTaken, kStreamEnded };
  absl::StatusOr<Outcome> ReadStream(const Take& take, const Lost& lost);
  // False if cancelled meanwhile.
  bool Sleep(int milliseconds);

  FitClient* client_;
  std::string fit_;
  int64_t seq_;
  bool away_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;
  grpc::ClientContext* context_ = nullptr;
};

}  // namespace somafit
