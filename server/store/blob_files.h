#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace somafit {

// Content-addressed files in "<database>.blobs/". `hash` is a SHA-256 of the
// bytes as 64 hexadecimal digits.
class BlobFiles {
 public:
  explicit BlobFiles(const std::string& database)
      : folder_(database + ".blobs") {}

  // Durable on return: written beside, synced, renamed, folder synced. Another
  // name than a hash is for CheckpointFiles.
  absl::Status Write(const std::string& hash, std::string_view bytes) const;
  // DataLoss if the file is missing or its bytes have another hash.
  absl::StatusOr<std::string> Read(const std::string& hash) const;
  // Harmless where there is none.
  void Remove(const std::string& hash) const;
  // Removes what was being written when a process ended, and files that begin
  // with `mark` and for whose names `wanted` is false. Returns how many. Nobody
  // may write meanwhile.
  int Collect(std::string_view mark,
              const std::function<bool(const std::string& hash)>& wanted) const;

 private:
  std::string folder_;
};

}  // namespace somafit
