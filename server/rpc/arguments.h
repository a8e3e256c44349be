#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Checks of what requests carry. All refuse with InvalidArgument, a reason and
// the name of the field.

// InvalidArgument about one field.
absl::Status BadField(std::string field, std::string description,
                      std::string reason = "BAD_FIELD");

// "fits/NAME" -> "NAME".
absl::StatusOr<std::string> FitNameOf(const std::string& resource,
                                      std::string field = "name");
// 0 is `usual`; more than `most` is `most`; negative is refused.
absl::StatusOr<int> PageSizeOf(int32_t page_size, int usual, int most);
// Text that people will see: short, without control characters.
absl::Status CheckShown(const std::string& field, const std::string& text);
// Of a worker or trainer that registers.
absl::Status CheckIdentity(const std::string& name, const std::string& host,
                           const std::string& version);
// "" or 1 to 128 visible ASCII characters.
absl::Status CheckRequestId(const std::string& request_id);
// A SHA-256, with or without "datasets/" before it.
absl::StatusOr<std::string> DatasetHashOf(const std::string& text);

// Page tokens: where the next page begins, bound to what was asked for.
std::string MakePageToken(std::string_view query, int64_t after);
absl::StatusOr<int64_t> ReadPageToken(const std::string& token,
                                      std::string_view query, int64_t first);

// All diagnostics as one status; its reason is the code of the first error.
absl::Status ToStatusWithDetails(const Diagnostics& diagnostics);

}  // namespace somafit
