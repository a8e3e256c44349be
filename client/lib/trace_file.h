#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace somafit {

inline constexpr size_t kMaxTraceFileBytes = size_t{1} << 30;

// Numbers as they stand in a file, [traces][steps], all rows equally long.
using TraceTable = std::vector<std::vector<double>>;

enum class TraceLayout { kRows, kColumns };

// A CSV text. Empty cells and "nan" are NaN. Recognised and left out:
//  * a header row: the first row, if no cell of it is a number (and one is a
//    text); or if its first cell names an index (it is empty or one of index,
//    trace, row, id, #) and the others are 0, 1, ... or 1, 2, ...; or if it has
//    ten cells at least, which are 0, 1, 2, ...;
//  * an index column: below a header's cell that names an index, 0, 1, ... or
//    1, 2, ...
// A column "t" or "time" is refused: the fit's dt says the time.
// Errors: "output.csv:3:17: "abc" is not a number"; several, one a line.
absl::StatusOr<TraceTable> ParseTraceCsv(absl::string_view text,
                                         const std::string& path,
                                         TraceLayout layout);

// A .npy or CSV file, told apart by its first bytes. An npy array of one
// dimension is one trace in either layout.
absl::StatusOr<TraceTable> ReadTraceFile(const std::string& path,
                                         TraceLayout layout);

}  // namespace somafit
