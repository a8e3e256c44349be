#include "proto/convert/endpoint_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include <google/protobuf/util/json_util.h>

namespace somafit {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;

absl::Status WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::UnavailableError(std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  if (::fsync(file) != 0) return absl::UnavailableError(std::strerror(errno));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Endpoint> LoadEndpoint(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    const std::string text = absl::StrCat("cannot read the endpoint file ",
                                          path, ": ", error.message());
    return error == std::errc::no_such_file_or_directory
               ? absl::NotFoundError(text)
               : absl::PermissionDeniedError(text);
  }
  if (size > kMaxFile) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has ", size, " bytes and is not an endpoint file"));
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot read the endpoint file ", path,
                     "; it must be readable by you, its owner"));
  }
  v1::Endpoint endpoint;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      text.str(), &endpoint, options);
  if (!parsed.ok() || endpoint.address().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        " is not an endpoint file: it must be JSON with an \"address\"; start "
        "the server with --endpoint to write one"));
  }
  return endpoint;
}

absl::Status StoreEndpoint(const std::string& path,
                           const v1::Endpoint& endpoint) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  (void)google::protobuf::util::MessageToJsonString(endpoint, &text, options);
  const std::string temporary = absl::StrCat(path, ".", ::getpid(), ".new");
  ::unlink(temporary.c_str());
  const int file =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        "cannot write the endpoint file ", path, ": ", std::strerror(errno)));
  }
  const absl::Status written = WriteAll(file, text);
  ::close(file);
  if (!written.ok() || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string cause =
        written.ok() ? std::strerror(errno) : std::string(written.message());
    ::unlink(temporary.c_str());
    return absl::UnavailableError(
        absl::StrCat("cannot write the endpoint file ", path, ": ", cause));
  }
  return absl::OkStatus();
}

}  // namespace somafit
