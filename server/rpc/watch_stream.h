#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/rpc/pumped_stream.h"
#include "server/rpc/strand.h"
#include "server/rpc/stream_hub.h"
#include "somafit/v1/fit.pb.h"

namespace somafit {

class WatchStream;
// Who watches which fit.
using WatchHub = StreamHub<WatchStream>;

// One WatchFit stream. Events are read from the store, a few at a time: a
// stream that starts anew continues where it ended.
class WatchStream final : public PumpedStream<v1::FitEvent> {
 public:
  // `reads` runs what reads the store.
  static WatchStream* Start(Strand& strand, Store& store, WatchHub& hub,
                            Executor& reads, std::string name,
                            int64_t after_seq);
  // What streams end with when the server stops.
  static absl::Status Draining();

 private:
  WatchStream(Strand& strand, Store& store, WatchHub& hub, Executor& reads,
              std::string name, int64_t after_seq);

  std::shared_ptr<WatchStream> Self();
  void Open();
  void Step() override;
  void Closed() override;
  // Whether a page was read; false: nothing new.
  absl::StatusOr<bool> ReadPage();
  absl::Status Send(const EventRecord& event);
  void CheckEnd();

  Strand& strand_;
  Store& store_;
  WatchHub& hub_;
  const std::string name_;

  // Used by whoever is busy.
  FitRecord fit_;
  int64_t sent_seq_;
  std::vector<EventRecord> page_;
  size_t next_in_page_ = 0;
  v1::FitEvent message_;
};

}  // namespace somafit
