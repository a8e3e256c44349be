#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace somafit {

struct CsvCell {
  absl::string_view text;  // without quotes and blanks around it
  int column = 1;          // from 1, in bytes: where it begins in its line
};

// The whole of the cell as a number; nullopt for anything else.
std::optional<double> ReadNumber(const CsvCell& cell);

struct CsvRow {
  int line = 0;  // from 1
  std::vector<CsvCell> cells;
};

// The rows of a text, one at a time. The separator is the first of comma,
// semicolon and tab that the first row has. Lines that begin with "#" and blank
// lines at the end are left out; a byte order mark and CRLF are accepted.
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text);

  // False at the end.
  bool Next(CsvRow* row);

 private:
  absl::string_view text_;
  size_t at_ = 0;
  int line_ = 0;
  char separator_ = ',';
};

}  // namespace somafit
