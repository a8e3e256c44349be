#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace somafit {

// A folder in TMPDIR for its owner only (0700), with a path short enough for a
// unix socket. It is removed with this object; what a killed process left is
// removed when the next one is made: a lock tells which of them are in use.
class PrivateFolder {
 public:
  static absl::StatusOr<std::unique_ptr<PrivateFolder>> Make();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder();

  // Leaves it and its files for good.
  void Keep();
  const std::string& path() const { return path_; }

 private:
  PrivateFolder(std::string path, int lock)
      : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
  bool keep_ = false;
};

}  // namespace somafit
