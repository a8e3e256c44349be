#include "server/store/file_guard.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/store/database.h"
#include "server/store/schema.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

absl::Status SystemError(const std::string& what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": ", std::strerror(errno)));
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

uint32_t BigEndian(const unsigned char* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
         uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Take(const std::string& database) {
  const std::string path = database + ".lock";
  const int descriptor =
      open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return SystemError("cannot open the lock file " + path);
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError("cannot lock " + path);
    return absl::FailedPreconditionError(
        absl::StrCat("another coordinator has ", database, " open (it holds ",
                     path, "); stop it first, or use another database"));
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

// The file stays: to unlink it would let two processes lock two files.
FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<bool> IsOnNetwork(const std::string& database) {
  static const auto* const magics = new std::set<uint32_t>{
      0x6969,      // NFS
      0x517B,      // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB2
      0x0BD00BD0,  // Lustre
      0x47504653,  // GPFS
      0x19830326,  // BeeGFS
      0x5346414F,  // AFS
      0x00C36400,  // Ceph
      0x65735546,  // FUSE
      0x01021997,  // 9p
      0x20030528,  // OrangeFS
  };
  const std::string folder = FolderOf(database);
  struct statfs file_system = {};
  if (statfs(folder.c_str(), &file_system) != 0) {
    return SystemError(
        absl::StrCat("cannot use the folder ", folder, " of ", database));
  }
  return magics->contains(static_cast<uint32_t>(file_system.f_type));
}

absl::StatusOr<bool> InspectFile(const std::string& database) {
  const int descriptor = open(database.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT) return false;
    return SystemError("cannot read " + database);
  }
  std::array<unsigned char, 100> header{};
  struct stat status = {};
  const bool is_file =
      fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const ssize_t n =
      is_file ? read(descriptor, header.data(), header.size()) : -1;
  close(descriptor);
  if (!is_file || n < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(database, " is not a readable file"));
  }
  if (n == 0) return false;
  if (n < static_cast<ssize_t>(header.size()) ||
      std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(database, " is not a database; choose another file"));
  }
  if (BigEndian(&header[68]) != static_cast<uint32_t>(kApplicationId)) {
    return absl::FailedPreconditionError(absl::StrCat(
        database, " is a database of another program; choose another file"));
  }
  const uint32_t version = BigEndian(&header[60]);
  if (version > static_cast<uint32_t>(SchemaVersion())) {
    return absl::FailedPreconditionError(absl::StrCat(
        database, " has schema version ", version, ", this server knows up to ",
        SchemaVersion(), "; use the newer release that wrote it"));
  }
  return true;
}

absl::Status CreateFile(const std::string& database) {
  const std::string draft = database + ".new";
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    unlink((draft + suffix).c_str());
  }
  const int descriptor =
      open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return SystemError("cannot create " + draft);
  close(descriptor);
  {
    // In one piece with its application_id: a crash leaves no half-made file
    // that would be taken for another program's.
    SOMAFIT_ASSIGN_OR_RETURN(const Database db, OpenDatabase(draft));
    SOMAFIT_RETURN_IF_ERROR(
        Execute(db.get(), absl::StrCat("PRAGMA page_size=8192;"
                                       "PRAGMA auto_vacuum=INCREMENTAL;"
                                       "PRAGMA synchronous=FULL;"
                                       "PRAGMA application_id=",
                                       kApplicationId)));
    SOMAFIT_RETURN_IF_ERROR(Migrate(db.get(), database, AllMigrations()));
  }
  // Leftovers of a file that somebody removed would be replayed into this one.
  for (const char* suffix : {"-journal", "-wal", "-shm"}) {
    unlink((database + suffix).c_str());
  }
  if (rename(draft.c_str(), database.c_str()) != 0) {
    return SystemError("cannot create " + database);
  }
  return SyncFolderOf(database);
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::string folder = FolderOf(path);
  const int descriptor =
      open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return SystemError("cannot open the folder " + folder);
  const bool synced = fsync(descriptor) == 0;
  close(descriptor);
  if (!synced) return SystemError("cannot sync the folder " + folder);
  return absl::OkStatus();
}

}  // namespace somafit
