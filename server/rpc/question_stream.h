#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/rpc/pumped_stream.h"
#include "server/rpc/stream_hub.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

struct ServerParts;
class QuestionStream;
// Who waits for the answer to which question.
using QuestionHub = StreamHub<QuestionStream>;

// One AskPosterior stream: puts the question to the coordinator, and sends the
// answer of a trainer on. The question ends with the stream.
class QuestionStream final : public PumpedStream<v1::PosteriorAnswer> {
 public:
  // `request` lives until OnDone.
  static QuestionStream* Start(ServerParts& parts,
                               const v1::AskPosteriorRequest* request);
  // What streams end with when the server stops.
  static absl::Status Draining();

 private:
  QuestionStream(ServerParts& parts, const v1::AskPosteriorRequest* request);

  std::shared_ptr<QuestionStream> Self();
  // Puts the question; blocks.
  absl::Status Ask();
  void Step() override;
  void Closed() override;

  ServerParts& parts_;
  const v1::AskPosteriorRequest* request_;
  // Used by whoever is busy.
  bool asked_ = false;
  bool answered_ = false;
  std::vector<std::string> answers_;
  size_t sent_ = 0;
  v1::PosteriorAnswer message_;
  int64_t id_ = 0;  // of the question; 0: none yet
};

}  // namespace somafit
