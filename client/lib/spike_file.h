#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/lib/trace_file.h"

namespace somafit {

// Spike times as they stand in a file, one row a trace, as long as it has
// spikes, in any order. Cells that are empty or "nan" are none, so that rows
// may be filled up; "nan" alone is a silent trace, an empty row a mistake. A
// first row without a number, but with a text, is a header.
absl::StatusOr<TraceTable> ParseSpikeCsv(absl::string_view text,
                                         const std::string& path);

// A .npy or CSV file, told apart by its first bytes.
absl::StatusOr<TraceTable> ReadSpikeFile(const std::string& path);

}  // namespace somafit
