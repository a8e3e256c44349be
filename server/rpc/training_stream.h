#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/rpc/pumped_stream.h"
#include "server/rpc/stream_hub.h"
#include "server/study/coordinator.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

struct ServerParts;
class TrainingStream;
// Who watches which training, by fit.
using TrainingHub = StreamHub<TrainingStream>;

// One WatchTraining stream.
class TrainingStream final : public PumpedStream<v1::TrainingProgress> {
 public:
  // `request` lives until OnDone.
  static TrainingStream* Start(ServerParts& parts,
                               const v1::WatchTrainingRequest* request);
  // What streams end with when the server stops.
  static absl::Status Draining();

 private:
  TrainingStream(ServerParts& parts, const v1::WatchTrainingRequest* request);

  absl::Status Begin();
  void Step() override;
  void Closed() override;

  ServerParts& parts_;
  const v1::WatchTrainingRequest* request_;
  // Used by whoever is busy.
  std::string name_;  // "": not begun
  std::optional<Coordinator::TrainingNews> sent_;
  v1::TrainingProgress message_;
};

}  // namespace somafit
