#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace somafit {

// Who a worker or trainer says it is.
struct Identity {
  std::string name, host, version;
  int threads = 1;  // that it works on
};

struct Session {
  std::string id;
  double lease_s = 30;
};

// The coordinator over one connection, as far as every program sees it that
// works for one: what it hands out and takes back is added by the ports of
// worker and trainer.
//
// Unavailable and DeadlineExceeded: not reached, try again over a new
// connection. Unauthenticated: the token is wrong. NotFound from a call by
// session: register again. Thread-safe.
class SessionPort {
 public:
  virtual ~SessionPort() = default;

  virtual absl::StatusOr<Session> Register(const Identity& identity) = 0;
  // Ends a wait for work that is under way, and all later ones at once.
  virtual void StopWaiting() = 0;
};

// Whether the coordinator will never accept this; other failures of a call say
// something of the way to it, and are tried again.
inline bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

}  // namespace somafit
