#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"

#include "server/study/store.h"

namespace somafit {

// The answers given to mutations, by request id: those of late in memory, where
// answers not yet durable are too, all others in the store.
//
// Thread-compatible: used under the strand's lock.
class RequestLog {
 public:
  explicit RequestLog(Store& store) : store_(store) {}

  // The stored answer to an equal request, if there is one. InvalidArgument
  // (REQUEST_ID_REUSED) if the id was used for another request.
  absl::StatusOr<std::optional<std::string>> Find(const std::string& request_id,
                                                  const std::string& method,
                                                  const std::string& body_hash);
  void Remember(const RequestRecord& record);

 private:
  Store& store_;
  std::unordered_map<std::string, RequestRecord> recent_;
  std::deque<std::string> order_;
  size_t bytes_ = 0;  // of the responses in recent_
};

}  // namespace somafit
