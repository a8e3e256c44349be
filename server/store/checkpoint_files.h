#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "server/store/blob_files.h"
#include "server/study/store.h"

namespace somafit {

// Files of trainings under way in "<database>.blobs/", one a net: each replaces
// the one before as a whole. What is lost of them costs time alone, so no row
// names them.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(const std::string& database)
      : folder_(database + ".blobs"), files_(database) {}

  absl::Status Write(const CheckpointKey& key, std::string_view bytes) const;
  // NotFound where there is none, or it is damaged.
  absl::StatusOr<std::string> Read(const CheckpointKey& key) const;
  // Removes those of a round.
  void Drop(const CheckpointKey& round) const;
  // Removes all of a fit.
  void DropAll(int64_t fit) const;
  // Removes those of rounds that are not `wanted`: a process may have ended
  // before it could. How many.
  int Collect(const std::function<bool(const CheckpointKey&)>& wanted) const;

 private:
  std::string folder_;
  BlobFiles files_;
};

}  // namespace somafit
