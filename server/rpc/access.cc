#include "server/rpc/access.h"

#include "absl/strings/strip.h"

#include "proto/convert/digest.h"
#include "proto/convert/status.h"

namespace somafit {

Access Access::WithToken(const std::string& token) {
  Access access;
  access.token_hash_ = Sha256Hex(token);
  return access;
}

absl::Status Access::Check(const grpc::CallbackServerContext& context) const {
  if (!token_hash_) return absl::OkStatus();
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) {
    return WithReason(
        absl::UnauthenticatedError(
            "the token is missing; send \"authorization: Bearer TOKEN\" with "
            "the token of the server's current endpoint file"),
        "TOKEN_MISSING");
  }
  absl::string_view value(found->second.data(), found->second.size());
  if (!absl::ConsumePrefix(&value, "Bearer ") ||
      !EqualSecrets(Sha256Hex(std::string(value)), *token_hash_)) {
    return WithReason(
        absl::UnauthenticatedError(
            "the token is wrong; use the server's current endpoint file"),
        "TOKEN_WRONG");
  }
  return absl::OkStatus();
}

}  // namespace somafit
