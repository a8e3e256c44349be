#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace somafit {

// The whole of a regular file. NotFound, PermissionDenied or InvalidArgument
// (a folder, more than `max_bytes`), each with the path and the reason.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// A file that appears under its name only when it is complete: what is written
// before Commit lies beside it under another name, and is removed otherwise.
// What a link leads to is replaced, not the link. A device or a pipe is written
// to at once.
class NewFile {
 public:
  // InvalidArgument, with the path and the reason.
  static absl::StatusOr<NewFile> Create(const std::string& path);
  // Whether Create is likely to succeed; leaves nothing behind.
  static absl::Status Check(const std::string& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // Errors are kept and reported by Commit.
  void Write(absl::string_view text);
  absl::Status Commit();

 private:
  NewFile(std::string path, std::string draft, int descriptor)
      : path_(std::move(path)),
        draft_(std::move(draft)),
        descriptor_(descriptor) {}
  static absl::StatusOr<NewFile> CreateDraft(const std::string& path);
  void Flush();

  std::string path_;
  std::string draft_;
  int descriptor_ = -1;
  int error_ = 0;
  std::string buffer_;
};

}  // namespace somafit
