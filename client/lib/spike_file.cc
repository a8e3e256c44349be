#include "client/lib/spike_file.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/lib/csv.h"
#include "client/lib/npy.h"
#include "client/lib/text_file.h"
#include "worker/core/base/status.h"
#include "worker/core/data/dataset.h"

namespace somafit {
namespace {

constexpr size_t kMaxErrors = 10;
constexpr size_t kMaxQuoted = 40;

bool IsHeader(const CsvRow& row) {
  bool text = false;
  for (const CsvCell& cell : row.cells) {
    if (cell.text.empty()) continue;
    if (ReadNumber(cell)) return false;
    text = true;
  }
  return text;
}

}  // namespace

absl::StatusOr<TraceTable> ParseSpikeCsv(absl::string_view text,
                                         const std::string& path) {
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is neither CSV nor npy: it contains zero bytes"));
  }
  TraceTable table;
  std::vector<std::string> errors;
  CsvReader reader(text);
  CsvRow row;
  bool first = true;
  while (errors.size() < kMaxErrors && reader.Next(&row)) {
    if (std::exchange(first, false) && IsHeader(row)) continue;
    if (row.cells.size() == 1 && row.cells[0].text.empty()) {
      errors.push_back(absl::StrCat(path, ":", row.line,
                                    ":1: the row is empty; write nan for a "
                                    "silent trace"));
      continue;
    }
    if (table.size() >= kMaxTraces) {
      errors.push_back(absl::StrCat(path, ":", row.line,
                                    ":1: there are more than ", kMaxTraces,
                                    " rows"));
      break;
    }
    std::vector<double>& times = table.emplace_back();
    for (const CsvCell& cell : row.cells) {
      if (cell.text.empty()) continue;
      const std::optional<double> time = ReadNumber(cell);
      if (time && std::isnan(*time)) continue;
      if (time && std::isfinite(*time)) {
        times.push_back(*time);
        continue;
      }
      errors.push_back(absl::StrCat(path, ":", row.line, ":", cell.column,
                                    ": \"", cell.text.substr(0, kMaxQuoted),
                                    "\" is not a time"));
    }
  }
  if (errors.empty() && table.empty()) {
    errors.push_back(absl::StrCat(
        path, ": there are no rows in it; write nan for a silent trace"));
  }
  if (!errors.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  }
  return table;
}

absl::StatusOr<TraceTable> ReadSpikeFile(const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string content,
                           ReadFile(path, kMaxTraceFileBytes));
  if (!absl::StartsWith(content, "\x93NUMPY") &&
      !absl::EndsWithIgnoreCase(path, ".npy")) {
    return ParseSpikeCsv(content, path);
  }
  SOMAFIT_ASSIGN_OR_RETURN(TraceTable table, ParseNpy(content, path));
  for (size_t i = 0; i < table.size(); ++i) {
    std::erase_if(table[i], [](double time) { return std::isnan(time); });
    for (const double time : table[i]) {
      if (std::isfinite(time)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": row ", i, " (from 0) has a time that is not finite"));
    }
  }
  return table;
}

}  // namespace somafit
