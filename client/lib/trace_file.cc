#include "client/lib/trace_file.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/lib/csv.h"
#include "client/lib/npy.h"
#include "client/lib/text_file.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/data/dataset.h"

namespace somafit {
namespace {

constexpr size_t kMaxErrors = 10;
constexpr size_t kMaxQuoted = 40;
// Fewer numbers that count may well be a recording.
constexpr size_t kLeastCounted = 10;
constexpr size_t kMaxNumbers = kMaxDatasetBytes / sizeof(double);

bool IsText(const CsvCell& cell) {
  return !cell.text.empty() && !ReadNumber(cell);
}

// Whether the cells from `first` on are k, k + 1, ... with k from 0 to `most`,
// which is 0 or 1.
bool IsCount(const CsvRow& row, size_t first, double most) {
  if (first >= row.cells.size()) return false;
  const std::optional<double> start = ReadNumber(row.cells[first]);
  if (!start || (*start != 0 && *start != most)) return false;
  for (size_t i = first; i < row.cells.size(); ++i) {
    if (ReadNumber(row.cells[i]) != *start + static_cast<double>(i - first)) {
      return false;
    }
  }
  return true;
}

// Whether a header's first cell says that its column numbers the rows.
bool NamesIndex(const CsvCell& cell) {
  const std::string name = absl::AsciiStrToLower(cell.text);
  return name.empty() || name == "index" || name == "trace" || name == "row" ||
         name == "id" || name == "#";
}

bool IsHeader(const CsvRow& row) {
  bool text = false;
  bool number = false;
  for (const CsvCell& cell : row.cells) {
    text = text || IsText(cell);
    number = number || (!cell.text.empty() && !IsText(cell));
  }
  if (text && !number) return true;
  if (NamesIndex(row.cells[0])) return IsCount(row, 1, 1);
  return row.cells.size() >= kLeastCounted && IsCount(row, 0, 0);
}

bool NamesTime(absl::string_view header) {
  const std::string name = absl::AsciiStrToLower(
      absl::StripAsciiWhitespace(header.substr(0, header.find('['))));
  return name == "t" || name == "time";
}

TraceTable Transposed(const TraceTable& table) {
  TraceTable result(table[0].size(), std::vector<double>(table.size()));
  for (size_t i = 0; i < table.size(); ++i) {
    for (size_t j = 0; j < result.size(); ++j) result[j][i] = table[i][j];
  }
  return result;
}

class TraceParser {
 public:
  explicit TraceParser(const std::string& path) : path_(path) {}

  absl::StatusOr<TraceTable> Parse(absl::string_view text) {
    CsvReader reader(text);
    CsvRow row;
    bool first = true;
    while (errors_.size() < kMaxErrors && reader.Next(&row)) {
      if (first) {
        first = false;
        columns_ = row.cells.size();
        if (IsHeader(row)) {
          ReadHeader(row);
          continue;
        }
      }
      ReadRow(row);
    }
    if (errors_.empty() && table_.empty()) {
      errors_.push_back(absl::StrCat(path_, ": there are no numbers in it"));
    }
    if (!errors_.empty()) {
      return absl::InvalidArgumentError(absl::StrJoin(errors_, "\n"));
    }
    if (header_leads_ && IsIndex()) {
      for (std::vector<double>& values : table_) values.erase(values.begin());
    }
    if (table_[0].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": there are no numbers in it"));
    }
    return std::move(table_);
  }

 private:
  void ReadHeader(const CsvRow& row) {
    header_leads_ = NamesIndex(row.cells[0]);
    for (const CsvCell& cell : row.cells) {
      if (NamesTime(cell.text)) {
        Error(row.line, cell.column,
              absl::StrCat("the column \"", cell.text,
                           "\" holds times; remove "
                           "it, the fit's dt says how far samples lie apart"));
      }
    }
  }

  void ReadRow(const CsvRow& row) {
    if (row.cells.size() != columns_) {
      Error(row.line, 1,
            absl::StrCat("this row has ", row.cells.size(),
                         " cells, the first has ", columns_,
                         "; fill missing points with nan"));
      return;
    }
    if ((table_.size() + 1) * columns_ > kMaxNumbers) {
      Error(row.line, 1,
            absl::StrCat("there are more than ", kMaxNumbers, " numbers"));
      return;
    }
    std::vector<double> values;
    values.reserve(columns_);
    for (const CsvCell& cell : row.cells) {
      if (cell.text.empty()) {
        values.push_back(std::numeric_limits<double>::quiet_NaN());
        continue;
      }
      const std::optional<double> value = ReadNumber(cell);
      if (!value) {
        Error(row.line, cell.column,
              absl::StrCat("\"", cell.text.substr(0, kMaxQuoted),
                           cell.text.size() > kMaxQuoted ? "..." : "",
                           "\" is not a number"));
      } else if (std::isinf(*value)) {
        Error(row.line, cell.column,
              absl::StrCat("\"", cell.text.substr(0, kMaxQuoted),
                           "\" is not finite; leave missing points empty"));
      }
      values.push_back(value.value_or(0));
    }
    table_.push_back(std::move(values));
  }

  bool IsIndex() const {
    const double start = table_[0][0];
    for (size_t i = 0; i < table_.size(); ++i) {
      if (table_[i][0] != start + static_cast<double>(i)) return false;
    }
    return columns_ > 1 && (start == 0 || start == 1);
  }

  void Error(int line, int column, absl::string_view message) {
    if (errors_.size() < kMaxErrors) {
      errors_.push_back(
          absl::StrCat(path_, ":", line, ":", column, ": ", message));
    }
  }

  const std::string& path_;
  size_t columns_ = 0;
  bool header_leads_ = false;
  TraceTable table_;
  std::vector<std::string> errors_;
};

}  // namespace

absl::StatusOr<TraceTable> ParseTraceCsv(absl::string_view text,
                                         const std::string& path,
                                         TraceLayout layout) {
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is neither CSV nor npy: it contains zero bytes"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(TraceTable table, TraceParser(path).Parse(text));
  if (layout == TraceLayout::kColumns) table = Transposed(table);
  return table;
}

absl::StatusOr<TraceTable> ReadTraceFile(const std::string& path,
                                         TraceLayout layout) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string content,
                           ReadFile(path, kMaxTraceFileBytes));
  if (!absl::StartsWith(content, "\x93NUMPY") &&
      !absl::EndsWithIgnoreCase(path, ".npy")) {
    return ParseTraceCsv(content, path, layout);
  }
  bool flat = false;
  SOMAFIT_ASSIGN_OR_RETURN(TraceTable table, ParseNpy(content, path, &flat));
  if (layout == TraceLayout::kColumns && !flat) table = Transposed(table);
  return table;
}

}  // namespace somafit
