#include "client/lib/csv.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

#include "worker/core/base/number.h"

namespace somafit {
namespace {

// The cell that begins at `at`; moves `at` behind its separator, or behind the
// end for the last one.
CsvCell NextCell(absl::string_view line, char separator, size_t* at) {
  size_t begin = *at;
  while (begin < line.size() && line[begin] == ' ') ++begin;
  CsvCell cell;
  cell.column = static_cast<int>(begin) + 1;
  size_t end;
  const size_t quote = begin < line.size() && line[begin] == '"'
                           ? line.find('"', begin + 1)
                           : absl::string_view::npos;
  if (quote != absl::string_view::npos) {
    cell.text = line.substr(begin + 1, quote - begin - 1);
    cell.column += 1;
    end = line.find(separator, quote);
  } else {
    end = line.find(separator, begin);
    cell.text = line.substr(begin, end == absl::string_view::npos
                                       ? absl::string_view::npos
                                       : end - begin);
  }
  cell.text = absl::StripAsciiWhitespace(cell.text);
  *at = end == absl::string_view::npos ? line.size() + 1 : end + 1;
  return cell;
}

}  // namespace

std::optional<double> ReadNumber(const CsvCell& cell) {
  return ReadNumber(std::string_view(cell.text.data(), cell.text.size()));
}

CsvReader::CsvReader(absl::string_view text)
    : text_(absl::StripTrailingAsciiWhitespace(text)) {
  absl::ConsumePrefix(&text_, "\xef\xbb\xbf");
  // A trailing separator is an empty cell, also when it is a tab.
  const size_t kept = text_.data() + text_.size() - text.data();
  if (!text_.empty()) {
    const size_t end = text.find_first_of("\r\n", kept);
    text_ = absl::string_view(
        text_.data(), text.data() + std::min(end, text.size()) - text_.data());
  }
  for (size_t at = 0; at < text_.size();) {
    const size_t end = text_.find('\n', at);
    const absl::string_view line = text_.substr(at, end - at);
    if (absl::StartsWith(line, "#")) {
      if (end == absl::string_view::npos) break;
      at = end + 1;
      continue;
    }
    for (const char separator : {',', ';', '\t'}) {
      if (line.find(separator) != absl::string_view::npos) {
        separator_ = separator;
        break;
      }
    }
    break;
  }
}

bool CsvReader::Next(CsvRow* row) {
  row->cells.clear();
  while (at_ < text_.size()) {
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    absl::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    ++line_;
    if (absl::StartsWith(line, "#")) continue;
    absl::ConsumeSuffix(&line, "\r");
    row->line = line_;
    for (size_t at = 0; at <= line.size();) {
      row->cells.push_back(NextCell(line, separator_, &at));
    }
    return true;
  }
  return false;
}

}  // namespace somafit
