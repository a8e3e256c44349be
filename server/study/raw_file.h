#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "server/study/records.h"

namespace somafit {

// The file of the raw traces that one report brought: a mark, whose fit's they
// are, then the float32 of one sample after the other, little-endian. It names
// its fit so that no two fits share a file, and one goes with its fit.

inline constexpr std::string_view kRawFileMark = "SOMARAWX";

struct RawFileOwner {
  int64_t fit = 0;
  int64_t create_time_us = 0;
};

// Moves the samples' raw_x into a file's bytes; `raw.offset` of each that has
// some says where they begin. "": none has any.
std::string EncodeRawFile(const RawFileOwner& owner,
                          std::vector<RecordedSample>& samples);

// The `n` numbers at `offset`. DataLoss where the bytes do not hold them.
absl::StatusOr<std::string_view> RawFloats(std::string_view file,
                                           int64_t offset, size_t n);

}  // namespace somafit
