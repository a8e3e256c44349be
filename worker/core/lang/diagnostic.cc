#include "worker/core/lang/diagnostic.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

// Of a long line, this much around the span is shown.
constexpr size_t kContext = 60;

std::string SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "";
}

bool ContinuesCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The line of `span.begin`, and below it "^~~" under the span. Each character
// that is not ASCII becomes one '?': what a reader's terminal and the bytes of
// a wrong encoding would do to the caret's place is unknown.
std::string Excerpt(std::string_view text, Span span) {
  const size_t begin = std::min(span.begin, text.size());
  const size_t newline = text.substr(0, begin).rfind('\n');
  size_t from = newline == std::string_view::npos ? 0 : newline + 1;
  size_t to = std::min(text.find('\n', begin), text.size());
  if (to > from && text[to - 1] == '\r' && begin < to) --to;
  const size_t end = std::clamp(span.end, begin, std::max(begin, to));
  const bool cut_left = begin - from > kContext;
  const bool cut_right = to > begin && to - begin > kContext;
  if (cut_left) from = begin - kContext;
  if (cut_right) to = begin + kContext;

  std::string line(cut_left ? "..." : "");
  std::string marks(line.size(), ' ');
  for (size_t i = from; i < std::max(to, begin + 1); ++i) {
    const char c = i < to ? text[i] : ' ';
    if (ContinuesCharacter(c) && i > from) continue;
    line += c >= ' ' && c <= '~' ? c : (c == '\t' ? ' ' : '?');
    marks += i == begin ? '^' : (i > begin && i < end ? '~' : ' ');
  }
  if (cut_right) line += "...";
  line.erase(line.find_last_not_of(' ') + 1);
  marks.erase(marks.find_last_not_of(' ') + 1);
  return absl::StrCat(line, "\n", marks);
}

}  // namespace

void Diagnostics::Keep(Diagnostic diagnostic) {
  if (full()) return;
  if (diagnostic.severity != Severity::kError) {
    if (n_warnings_ > kMaxWarnings) return;
    if (++n_warnings_ > kMaxWarnings) {
      diagnostic = Diagnostic{
          .severity = Severity::kNote,
          .code = "W_TOO_MANY",
          .field = diagnostic.field,
          .begin = diagnostic.begin,
          .message = absl::StrCat("there are more than ", kMaxWarnings,
                                  " warnings, the others are not shown"),
          .hint = "",
          .excerpt = ""};
    }
  }
  all_.push_back(std::move(diagnostic));
  if (!full()) return;
  Diagnostic last;
  last.code = "E_TOO_MANY";
  last.field = all_.back().field;
  last.begin = all_.back().begin;
  last.message = absl::StrCat("there are more than ", kMaxDiagnostics,
                              " problems, the others are not shown");
  all_.back() = std::move(last);
}

void Diagnostics::Add(Severity severity, std::string code, const Source& source,
                      Span span, std::string message, std::string hint) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.code = std::move(code);
  diagnostic.field = source.field;
  diagnostic.begin = Locate(source.text, span.begin);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  diagnostic.excerpt = Excerpt(source.text, span);
  Keep(std::move(diagnostic));
}

void Diagnostics::Error(std::string code, const Source& source, Span span,
                        std::string message, std::string hint) {
  Add(Severity::kError, std::move(code), source, span, std::move(message),
      std::move(hint));
}

void Diagnostics::FieldError(std::string code, std::string field,
                             std::string message, std::string hint) {
  Diagnostic diagnostic;
  diagnostic.code = std::move(code);
  diagnostic.field = std::move(field);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  Keep(std::move(diagnostic));
}

void Diagnostics::Append(const Diagnostics& other) {
  for (const Diagnostic& diagnostic : other.all_) Keep(diagnostic);
}

void Diagnostics::SortByPlace() {
  std::map<std::string, size_t> ranks;
  for (const Diagnostic& each : all_) ranks.emplace(each.field, ranks.size());
  // The line that says that there are more stays last.
  const auto end = full() ? all_.end() - 1 : all_.end();
  std::stable_sort(
      all_.begin(), end, [&ranks](const Diagnostic& a, const Diagnostic& b) {
        return std::tuple(ranks[a.field], a.begin.line, a.begin.column) <
               std::tuple(ranks[b.field], b.begin.line, b.begin.column);
      });
}

bool Diagnostics::HasErrors() const {
  return std::any_of(all_.begin(), all_.end(), [](const Diagnostic& each) {
    return each.severity == Severity::kError;
  });
}

std::string Diagnostics::Render() const {
  std::string text;
  for (const Diagnostic& each : all_) {
    absl::StrAppend(&text, each.field);
    if (!each.excerpt.empty()) {
      absl::StrAppend(&text, ":", each.begin.line, ":", each.begin.column);
    }
    absl::StrAppend(&text, ": ", SeverityName(each.severity), ": ",
                    each.message, " [", each.code, "]\n");
    if (!each.excerpt.empty()) {
      const size_t newline = each.excerpt.find('\n');
      absl::StrAppend(&text, "  ", each.excerpt.substr(0, newline), "\n  ",
                      each.excerpt.substr(newline + 1), "\n");
    }
    if (!each.hint.empty()) absl::StrAppend(&text, "  hint: ", each.hint, "\n");
  }
  return text;
}

absl::Status Diagnostics::ToStatus() const {
  if (!HasErrors()) return absl::OkStatus();
  return absl::InvalidArgumentError(Render());
}

}  // namespace somafit
