#include "client/lib/endpoint.h"

#include <cstdlib>
#include <sys/stat.h>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/endpoint_file.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

bool IsPrintable(absl::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<KnownEndpoint> ReadEndpointFile(const std::string& path) {
  KnownEndpoint known;
  known.path = path;
  absl::StatusOr<v1::Endpoint> endpoint = LoadEndpoint(path);
  if (absl::IsNotFound(endpoint.status())) {
    // The usual reason: no server has written it yet.
    return absl::UnavailableError(absl::StrCat(
        "there is no endpoint file ", path,
        "; start a coordinator with: somafit-server --listen 127.0.0.1:7700 "
        "--db fits.db --endpoint ",
        path));
  }
  SOMAFIT_RETURN_IF_ERROR(endpoint.status());
  known.endpoint = *std::move(endpoint);
  if (!IsPrintable(known.endpoint.address()) ||
      !IsPrintable(known.endpoint.token())) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": the address and the token must be printable text without "
        "blanks; take the file that somafit-server wrote as it is"));
  }
  struct stat about;
  if (!known.endpoint.token().empty() && stat(path.c_str(), &about) == 0 &&
      (about.st_mode & 077) != 0) {
    known.warning = absl::StrCat(
        "warning: ", path,
        " holds a token and others may read it; run: chmod 600 ", path);
  }
  return known;
}

absl::StatusOr<KnownEndpoint> FindEndpoint(const std::string& given) {
  if (!given.empty()) return ReadEndpointFile(given);
  const char* variable = std::getenv("SOMAFIT_ENDPOINT");
  if (variable != nullptr && *variable != '\0') {
    return ReadEndpointFile(variable);
  }
  return absl::InvalidArgumentError(
      "no coordinator is named: give --endpoint FILE or set SOMAFIT_ENDPOINT "
      "to the file that somafit-server wrote (without a server: somafit run)");
}

}  // namespace somafit
