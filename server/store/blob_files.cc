#include "server/store/blob_files.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "proto/convert/digest.h"
#include "server/store/file_guard.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

absl::Status FileError(const std::string& what) {
  std::string message = absl::StrCat(what, ": ", std::strerror(errno));
  return errno == ENOSPC || errno == EDQUOT
             ? absl::ResourceExhaustedError(message)
             : absl::InternalError(message);
}

absl::Status WriteAll(int descriptor, std::string_view bytes,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FileError("cannot write " + path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(descriptor) != 0) return FileError("cannot sync " + path);
  return absl::OkStatus();
}

}  // namespace

absl::Status BlobFiles::Write(const std::string& hash,
                              std::string_view bytes) const {
  if (mkdir(folder_.c_str(), 0700) == 0) {
    SOMAFIT_RETURN_IF_ERROR(SyncFolderOf(folder_));
  } else if (errno != EEXIST) {
    return FileError("cannot create the folder " + folder_);
  }
  static std::atomic<uint64_t> counter{0};
  const std::string path = absl::StrCat(folder_, "/", hash);
  const std::string draft =
      absl::StrCat(path, ".", getpid(), "-", counter.fetch_add(1), ".new");
  const int descriptor =
      open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return FileError("cannot create " + draft);
  absl::Status status = WriteAll(descriptor, bytes, draft);
  close(descriptor);
  if (status.ok() && rename(draft.c_str(), path.c_str()) != 0) {
    status = FileError("cannot create " + path);
  }
  if (!status.ok()) {
    unlink(draft.c_str());
    return status;
  }
  return SyncFolderOf(path);
}

absl::StatusOr<std::string> BlobFiles::Read(const std::string& hash) const {
  const std::string path = absl::StrCat(folder_, "/", hash);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot open ", path, ": ", std::strerror(errno),
                     "; it belongs to the database, restore it"));
  }
  struct stat status = {};
  std::string bytes;
  bool ok = fstat(descriptor, &status) == 0;
  if (ok) bytes.resize(static_cast<size_t>(status.st_size));
  for (size_t done = 0; ok && done < bytes.size();) {
    const ssize_t n =
        read(descriptor, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0;
    if (ok) done += static_cast<size_t>(n);
  }
  close(descriptor);
  if (!ok || Sha256Hex(bytes) != hash) {
    return absl::DataLossError(absl::StrCat(
        path,
        " is damaged: its content has another SHA-256 than its name; "
        "restore it from a backup"));
  }
  return bytes;
}

}  // namespace somafit
