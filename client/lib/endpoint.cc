#include "client/lib/endpoint.h"

#include <sys/stat.h>

#include <cstdlib>

#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/lib/text_file.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxEndpointBytes = 1 << 20;

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<v1::Endpoint> ParseEndpoint(std::string_view json,
                                           const std::string& path) {
  v1::Endpoint endpoint;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &endpoint,
      options);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is not an endpoint file (JSON with address, token and ca): ",
        std::string_view(parsed.message().data(), parsed.message().size()),
        "; give the file that somafit-server wrote with --endpoint"));
  }
  if (endpoint.address().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " is not an endpoint file: it has no \"address\"; give "
                     "the file that somafit-server wrote with --endpoint"));
  }
  if (!IsPrintable(endpoint.address()) || !IsPrintable(endpoint.token())) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the address and the token must be printable text without "
              "blanks; take the file that somafit-server wrote as it is"));
  }
  return endpoint;
}

absl::StatusOr<KnownEndpoint> ReadEndpointFile(const std::string& path) {
  absl::StatusOr<std::string> json = ReadFile(path, kMaxEndpointBytes);
  if (absl::IsNotFound(json.status())) {
    // The usual reason: nothing has written it yet.
    return absl::UnavailableError(absl::StrCat(
        "there is no endpoint file ", path,
        "; start a coordinator with: somafit-server --db fits.db --endpoint ",
        path));
  }
  SOMAFIT_RETURN_IF_ERROR(json.status());
  KnownEndpoint known;
  known.path = path;
  SOMAFIT_ASSIGN_OR_RETURN(known.endpoint, ParseEndpoint(*json, path));
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
