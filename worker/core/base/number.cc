#include "worker/core/base/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace somafit {
namespace {

// Longer words are names of nothing: no suggestion is worth their cost.
constexpr size_t kMaxWord = 64;

// In halves of an edit: another case or an underscore more or less is half.
int EditCost(char c) { return c == '_' ? 1 : 2; }

int ReplaceCost(char a, char b) {
  if (a == b) return 0;
  return absl::ascii_tolower(a) == absl::ascii_tolower(b) ? 1 : 2;
}

// Optimal string alignment: insertions, deletions, replacements, swaps of
// neighbours. More than `limit` is said as limit + 1.
int Distance(std::string_view a, std::string_view b, int limit) {
  std::array<std::array<int, kMaxWord + 1>, 3> rows;
  rows[0][0] = 0;
  for (size_t j = 1; j <= b.size(); ++j) {
    rows[0][j] = rows[0][j - 1] + EditCost(b[j - 1]);
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& above_that = rows[(i + 1) % 3];
    row[0] = above[0] + EditCost(a[i - 1]);
    int least = row[0];
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + EditCost(a[i - 1]),
                         row[j - 1] + EditCost(b[j - 1]),
                         above[j - 1] + ReplaceCost(a[i - 1], b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], above_that[j - 2] + 2);
      }
      least = std::min(least, row[j]);
    }
    // A swap reaches back two rows and costs 2.
    if (least > limit + 2) return limit + 1;
  }
  return std::min(rows[a.size() % 3][b.size()], limit + 1);
}

}  // namespace

std::string ShortestText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.begin(), buffer.end(), value).ptr;
  return std::string(buffer.begin(), end);
}

std::string RoundedText(double value, int digits) {
  if (!std::isfinite(value)) return ShortestText(value);
  std::array<char, 64> buffer;
  const auto end =
      std::to_chars(buffer.begin(), buffer.end(), value,
                    std::chars_format::general, std::clamp(digits, 1, 17))
          .ptr;
  return std::string(buffer.begin(), end);
}

std::optional<double> ReadNumber(std::string_view text) {
  double value = 0;
  // Of what absl reads, "nan(1)" and "0x1p3" are no numbers here.
  if (text.find_first_of("(xX") != std::string_view::npos) return std::nullopt;
  if (!absl::SimpleAtod(std::string(text), &value)) return std::nullopt;
  return value;
}

std::string NearestWord(std::string_view word,
                        const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kMaxWord) return "";
  const int length = static_cast<int>(word.size());
  const int limit = length < 3 ? 1 : 2 * std::max(1, length / 3);
  std::string nearest;
  int least = limit + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > kMaxWord ||
        std::abs(static_cast<int>(candidate.size()) - length) >= least ||
        candidate == word) {
      continue;
    }
    const int distance = Distance(word, candidate, least);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace somafit
