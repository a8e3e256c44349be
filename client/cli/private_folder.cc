#include "client/cli/private_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr char kPrefix[] = "somafit-";
constexpr char kPattern[] = "somafit-XXXXXX";
constexpr char kLock[] = "/lock";
// A socket's path has at most 107 bytes.
constexpr size_t kMaxBase = 80;

std::string BaseFolder() {
  const char* variable = std::getenv("TMPDIR");
  const std::string base =
      variable == nullptr || *variable == '\0' ? "/tmp" : variable;
  return base.size() > kMaxBase ? "/tmp" : base;
}

// Removes a folder of ours whose lock nobody holds. One without a lock is being
// made right now, or to be kept.
void RemoveIfAbandoned(const std::string& path) {
  struct stat about;
  if (lstat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) ||
      about.st_uid != geteuid() || (about.st_mode & 0777) != 0700) {
    return;
  }
  const int lock =
      open((path + kLock).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0) return;
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  close(lock);
}

void RemoveAbandoned(const std::string& base) {
  std::error_code error;
  std::filesystem::directory_iterator entries(base, error);
  for (; !error && entries != std::filesystem::directory_iterator();
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.size() + 1 == sizeof(kPattern) &&
        absl::StartsWith(name, kPrefix)) {
      RemoveIfAbandoned(entries->path().string());
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateFolder>> PrivateFolder::Make() {
  const std::string base = BaseFolder();
  RemoveAbandoned(base);
  std::string path = absl::StrCat(base, "/", kPattern);
  int lock = -1;
  if (mkdtemp(path.data()) == nullptr ||
      (lock = open((path + kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC,
                   0600)) < 0 ||
      flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return absl::InternalError(absl::StrCat("cannot make a folder in ", base,
                                            ": ", std::strerror(errno),
                                            "; set TMPDIR to another one"));
  }
  return std::unique_ptr<PrivateFolder>(
      new PrivateFolder(std::move(path), lock));
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;
  if (!keep_) std::filesystem::remove_all(path_, ignored);
  close(lock_);
}

void PrivateFolder::Keep() {
  keep_ = true;
  unlink((path_ + kLock).c_str());
}

}  // namespace somafit
