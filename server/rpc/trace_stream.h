#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/convert/traces.h"
#include "server/rpc/pumped_stream.h"
#include "server/rpc/strand.h"
#include "server/rpc/stream_hub.h"
#include "somafit/v1/fit_service.pb.h"

namespace somafit {

struct ServerParts;
class TraceStream;
// Who waits for which request for traces.
using TraceHub = StreamHub<TraceStream>;

// One GenerateTraces stream: checks what is asked for, requests it from the
// coordinator, and sends recordings on in the order of their points. The
// request ends with the stream.
class TraceStream final : public PumpedStream<v1::GenerateTracesResponse> {
 public:
  // `request` lives until OnDone.
  static TraceStream* Start(ServerParts& parts,
                            const v1::GenerateTracesRequest* request);
  // What streams end with when the server stops.
  static absl::Status Draining();

 private:
  TraceStream(ServerParts& parts, const v1::GenerateTracesRequest* request);

  std::shared_ptr<TraceStream> Self();
  void Open();
  // Makes the request to the coordinator; blocks.
  // Of the fit's model, with the initial values that the request has.
  absl::StatusOr<FitPlan> PlanOfRequest(const FitRecord& fit) const;
  absl::Status Request(const FitRecord& fit);
  void Step() override;
  void Closed() override;

  ServerParts& parts_;
  const v1::GenerateTracesRequest* request_;

  // Used by whoever is busy.
  bool header_sent_ = false;
  RecordingShape shape_;
  int64_t point_ = 0;  // the next to ask for
  int64_t n_points_ = 0;
  std::optional<Recording> recording_;  // being sent
  std::optional<TraceCutter> cutter_;
  v1::GenerateTracesResponse message_;

  int64_t id_ = 0;  // of the request; 0: none yet
};

}  // namespace somafit
