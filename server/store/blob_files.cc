#include "server/store/blob_files.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
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

void BlobFiles::Remove(const std::string& hash) const {
  unlink(absl::StrCat(folder_, "/", hash).c_str());
}

int BlobFiles::Collect(
    std::string_view mark,
    const std::function<bool(const std::string& hash)>& wanted) const {
  namespace fs = std::filesystem;
  int removed = 0;
  std::error_code none;
  // What cannot be looked at stays: it costs nothing but its place.
  for (fs::directory_iterator it(folder_, none), end; !none && it != end;
       it.increment(none)) {
    const std::string name = it->path().filename().string();
    bool orphan = absl::EndsWith(name, ".new");
    if (!orphan && IsSha256Hex(name)) {
      std::string head(mark.size(), '\0');
      std::ifstream file(it->path(), std::ios::binary);
      file.read(head.data(), static_cast<std::streamsize>(head.size()));
      orphan = file && head == mark && !wanted(name);
    }
    if (!orphan) continue;
    std::error_code failed;
    removed += fs::remove(it->path(), failed) ? 1 : 0;
  }
  return removed;
}

}  // namespace somafit
