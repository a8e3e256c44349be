#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/support/server_callback.h>

#include "server/rpc/strand.h"
#include "somafit/v1/fit.pb.h"

namespace somafit {

class WatchStream;

// Who watches which fit.
//
// Thread-safe.
class WatchHub {
 public:
  void Add(int64_t fit, const std::shared_ptr<WatchStream>& watch);
  void Remove(const WatchStream* watch);
  // New events of these fits are durable, or the fits are gone.
  void Wake(const std::set<int64_t>& fits);
  // Ends all streams, and from now on each at once, with Unavailable.
  void Drain();
  bool draining() const;

 private:
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::map<int64_t, std::vector<std::weak_ptr<WatchStream>>> watches_;
};

// One WatchFit stream. Events are read from the store, a few at a time, when
// the write before has been done: however slowly the client reads, nothing
// gathers here, and a stream that starts anew continues where it ended.
class WatchStream : public grpc::ServerWriteReactor<v1::FitEvent>,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  // `reads` runs what reads the store.
  static WatchStream* Start(Strand& strand, Store& store, WatchHub& hub,
                            Executor& reads, std::string name,
                            int64_t after_seq);

  // There may be new events.
  void Wake();
  // End with this status as soon as no write is under way.
  void End(absl::Status status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchStream(Strand& strand, Store& store, WatchHub& hub, Executor& reads,
              std::string name, int64_t after_seq);

  void Open();
  void PostPump();
  // Runs alone, on `reads`: starts a write, or rests, or ends the stream.
  void Pump();
  // Whether a page was read; false: nothing new.
  absl::StatusOr<bool> ReadPage();
  absl::Status Send(const EventRecord& event);
  void CheckEnd();
  void Rest();
  void FinishOnce(const absl::Status& status);

  Strand& strand_;
  Store& store_;
  WatchHub& hub_;
  Executor& reads_;
  const std::string name_;
  const std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<WatchStream> self_;  // until OnDone

  // Used by whoever is busy.
  FitRecord fit_;
  int64_t sent_seq_;
  std::vector<EventRecord> page_;
  size_t next_in_page_ = 0;
  v1::FitEvent message_;

  std::mutex mutex_;
  bool busy_ = true;    // pumping, or a write is under way
  bool awake_ = false;  // woken while busy
  bool finished_ = false;
  absl::Status ending_;  // not Ok: end with this
};

}  // namespace somafit
