#include "client/lib/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr size_t kBuffer = 1 << 16;

absl::Status FileError(const std::string& path, int error,
                       absl::string_view action) {
  const std::string message =
      absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(message);
  }
  return absl::InvalidArgumentError(message);
}

// A descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes) {
  // Non-blocking, so that a FIFO without a writer does not hang us.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return FileError(path, errno, "read");
  struct stat about;
  if (fstat(file.get(), &about) != 0) return FileError(path, errno, "read");
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", path, ": it is not a regular file"));
  }
  std::string content;
  content.reserve(std::min<size_t>(about.st_size, max_bytes));
  std::string piece(kBuffer, '\0');
  while (true) {
    const ssize_t n = read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError(path, errno, "read");
    if (n == 0) return content;
    if (content.size() + n > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " is too large: at most ", max_bytes, " bytes are read"));
    }
    content.append(piece, 0, n);
  }
}

absl::StatusOr<NewFile> NewFile::Create(const std::string& path) {
  const auto refused = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path, ": ", why));
  };
  struct stat about;
  const bool exists = stat(path.c_str(), &about) == 0;
  if (exists && S_ISDIR(about.st_mode)) return refused("it is a folder");
  if (exists && !S_ISREG(about.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return refused(std::strerror(errno));
    return NewFile(path, "", fd);
  }
  if (lstat(path.c_str(), &about) != 0 || !S_ISLNK(about.st_mode)) {
    return CreateDraft(path);
  }
  // The link stays; what it leads to is replaced.
  char* const target = realpath(path.c_str(), nullptr);
  if (target == nullptr) {
    return refused("it is a link to something that is not there");
  }
  const std::string resolved = target;
  std::free(target);
  return CreateDraft(resolved);
}

absl::Status NewFile::Check(const std::string& path) {
  struct stat about;
  if (stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) &&
      !S_ISDIR(about.st_mode)) {
    // Not opened: whoever reads a pipe would take that for all of it.
    if (access(path.c_str(), W_OK) == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return Create(path).status();
}

absl::StatusOr<NewFile> NewFile::CreateDraft(const std::string& path) {
  std::string draft = path + ".XXXXXX";
  const int fd = mkostemp(draft.data(), O_CLOEXEC);
  if (fd < 0) {
    const absl::Status status = FileError(path, errno, "write");
    // The user's mistake is the place, not something that was looked for.
    return absl::InvalidArgumentError(status.message());
  }
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(fd, 0666 & ~mask);
  return NewFile(path, std::move(draft), fd);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      draft_(std::move(other.draft_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      error_(other.error_),
      buffer_(std::move(other.buffer_)) {}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  if (!draft_.empty()) unlink(draft_.c_str());
}

void NewFile::Write(absl::string_view text) {
  buffer_.append(text.data(), text.size());
  if (buffer_.size() >= kBuffer) Flush();
}

void NewFile::Flush() {
  size_t done = 0;
  while (error_ == 0 && done < buffer_.size()) {
    const ssize_t n =
        write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error_ = errno;
    } else {
      done += n;
    }
  }
  buffer_.clear();
}

absl::Status NewFile::Commit() {
  Flush();
  const int fd = std::exchange(descriptor_, -1);
  if (error_ == 0 && !draft_.empty() && fsync(fd) != 0) error_ = errno;
  if (close(fd) != 0 && error_ == 0) error_ = errno;
  if (error_ == 0 && !draft_.empty() &&
      rename(draft_.c_str(), path_.c_str()) != 0) {
    error_ = errno;
  }
  if (error_ == 0) return absl::OkStatus();
  if (!draft_.empty()) unlink(draft_.c_str());
  return FileError(path_, error_, "write");
}

}  // namespace somafit
