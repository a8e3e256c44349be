#pragma once

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

 private:
  std::string folder_;
};

}  // namespace somafit
