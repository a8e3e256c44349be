#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include <grpcpp/server_context.h>

namespace somafit {

// Who may call: everybody on a unix socket, on TCP those with the token.
// Remembers the token's SHA-256 only.
class Access {
 public:
  static Access Open() { return Access(); }
  static Access WithToken(const std::string& token);

  // Unauthenticated unless "authorization: Bearer TOKEN" is right.
  absl::Status Check(const grpc::CallbackServerContext& context) const;

 private:
  std::optional<std::string> token_hash_;
};

}  // namespace somafit
