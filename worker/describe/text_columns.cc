#include "worker/describe/text_columns.h"

#include <algorithm>

namespace somafit {
namespace {

constexpr size_t kMaxWidth = 40;

std::string Joined(std::string_view text, bool has_comments) {
  std::string line;
  bool blank = false;
  bool comment = false;
  for (const char c : text) {
    if (c == '#' && has_comments) comment = true;
    if (c == '\n') comment = false;
    if (comment || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      blank = true;
      continue;
    }
    // The rest of a character that is not ASCII.
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;
    if (blank && !line.empty()) line += ' ';
    blank = false;
    line += c > ' ' && c <= '~' ? c : '?';
  }
  return line;
}

}  // namespace

std::string TextColumns(const std::vector<TextRow>& rows,
                        const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const TextRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(row[i].size(), kMaxWidth));
    }
  }
  std::string text;
  for (const TextRow& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - std::min(row[i].size(), widths[i]),
                               ' ');
      const bool flush_right =
          std::find(right.begin(), right.end(), i) != right.end();
      line += "  ";
      line += flush_right ? blanks + row[i] : row[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line;
    text += '\n';
  }
  return text;
}

std::string OneLine(std::string_view text) { return Joined(text, false); }

std::string OneLineOfCode(std::string_view text) { return Joined(text, true); }

}  // namespace somafit
