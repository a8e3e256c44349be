#include "server/rpc/raw_reader.h"

#include <limits>
#include <vector>

#include "proto/convert/evaluation.h"
#include "server/study/raw_file.h"
#include "worker/core/base/status.h"

namespace somafit {

absl::Status RawReader::Append(const RawPlace& place, std::string& bytes) {
  if (n_ == 0) return absl::OkStatus();
  if (place.file.empty()) {
    bytes += FloatBytes(
        std::vector<float>(n_, std::numeric_limits<float>::quiet_NaN()));
    return absl::OkStatus();
  }
  if (place.file != hash_) {
    hash_.clear();
    absl::StatusOr<std::string> file = store_.LoadRawFile(place.file);
    if (!file.ok()) {
      // A trainer would take Unavailable for a lost connection.
      return absl::DataLossError(file.status().message());
    }
    file_ = *std::move(file);
    hash_ = place.file;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::string_view floats,
                           RawFloats(file_, place.offset, n_));
  bytes += floats;
  return absl::OkStatus();
}

}  // namespace somafit
