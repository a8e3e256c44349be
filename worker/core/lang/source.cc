#include "worker/core/lang/source.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr size_t kMaxQuoted = 60;

}  // namespace

LineColumn Locate(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  LineColumn result;
  result.line +=
      static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const size_t newline = before.rfind('\n');
  const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
  result.column += static_cast<int>(offset - line_begin);
  return result;
}

std::string Quoted(std::string_view text) {
  std::string result(text.substr(0, kMaxQuoted));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  return absl::StrCat("`", result, text.size() > kMaxQuoted ? "..." : "", "`");
}

std::string ShownName(std::string_view name) {
  const std::string quoted = Quoted(name);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace somafit
