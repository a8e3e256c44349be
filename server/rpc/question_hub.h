#pragma once

#include "absl/status/status.h"

#include "server/rpc/stream_hub.h"

namespace somafit {

// Who waits for the answer to a question.
class QuestionWaiter {
 public:
  virtual ~QuestionWaiter() = default;
  // There may be an answer.
  virtual void Wake() = 0;
  virtual void End(absl::Status status) = 0;
};
using QuestionHub = StreamHub<QuestionWaiter>;

// What they end with when the server stops.
absl::Status QuestionsDraining();

}  // namespace somafit
