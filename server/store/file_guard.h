#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace somafit {

// Holds "<database>.lock" for as long as it lives: one coordinator a file.
class FileLock {
 public:
  // FailedPrecondition if another process holds it.
  static absl::StatusOr<FileLock> Take(const std::string& database);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// Whether the folder of `database` lies on a file system of the network, on
// which SQLite's write-ahead log does not work.
absl::StatusOr<bool> IsOnNetwork(const std::string& database);

// Looks at the file without opening it as a database. False: there is none, or
// it is empty. FailedPrecondition: not SQLite, or not ours, or of a newer
// schema (both versions are named). The file stays as it is.
absl::StatusOr<bool> InspectFile(const std::string& database);

// Makes a database with the newest schema, readable by its owner only: written
// beside, synced, then renamed to `database`.
absl::Status CreateFile(const std::string& database);

// Syncs the folder that `path` lies in, so that a new name in it lasts.
absl::Status SyncFolderOf(const std::string& path);

}  // namespace somafit
