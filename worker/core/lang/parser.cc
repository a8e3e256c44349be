#include "worker/core/lang/parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "worker/core/lang/expression_parser.h"
#include "worker/core/lang/lexer.h"

namespace somafit {
namespace {

bool ContinuesUnit(char c) {
  return absl::ascii_isalnum(c) || c == '*' || c == '/' || c == '.' ||
         c == '-' || c == ' ';
}

class BlockParser {
 public:
  BlockParser(const Source& source, Diagnostics& diagnostics)
      : source_(source), text_(source.text), diagnostics_(diagnostics) {}

  EquationBlock Parse() {
    while (!diagnostics_.full()) {
      const Token token = At(at_);
      if (token.kind == Token::Kind::kEnd) break;
      if (block_.definitions.size() >= kMaxDefinitions) {
        Error(token.span, absl::StrCat("a model may have at most ",
                                       kMaxDefinitions, " definitions"));
        block_.complete = false;
        break;
      }
      ParseDefinition(token);
    }
    return std::move(block_);
  }

 private:
  // What stands left of a definition's ':' or '='.
  struct Head {
    Definition::Kind kind;
    std::string_view name;
    Span name_span;
    size_t end;  // behind the ':' or '='
  };

  Token At(size_t offset) const {
    return LexToken(text_, offset, text_.size());
  }
  Token After(const Token& token) const { return At(token.span.end); }

  void Error(Span span, std::string message, std::string hint = "") {
    diagnostics_.Error("E_PARSE", source_, span, std::move(message),
                       std::move(hint));
  }

  // `d x / dt =` or `dx/dt =`.
  std::optional<Head> ReadDerivative(const Token& first) const {
    if (!first.IsName() || first.text[0] != 'd') return std::nullopt;
    Head head{Definition::Kind::kDifferential,
              first.text.substr(1),
              {first.span.begin + 1, first.span.end},
              0};
    Token next = After(first);
    if (first.text == "d" && next.IsName()) {
      head.name = next.text;
      head.name_span = next.span;
      next = After(next);
    }
    if (head.name.empty() || !next.Is("/")) return std::nullopt;
    const Token dt = After(next);
    if (!dt.IsName("dt")) return std::nullopt;
    const Token equals = After(dt);
    if (!equals.Is("=")) return std::nullopt;
    head.end = equals.span.end;
    return head;
  }

  std::optional<Head> ReadHead(const Token& first) const {
    if (!first.IsName()) return std::nullopt;
    const Token next = After(first);
    if (next.Is(":")) {
      return Head{Definition::Kind::kParameter, first.text, first.span,
                  next.span.end};
    }
    if (next.Is("=")) {
      return Head{Definition::Kind::kSubexpression, first.text, first.span,
                  next.span.end};
    }
    return ReadDerivative(first);
  }

  // A head that cannot be the continuation of an expression.
  bool BeginsAssignment(const Token& token) const {
    if (!token.first_on_line) return false;
    const auto head = ReadHead(token);
    return head && head->kind != Definition::Kind::kParameter;
  }

  // Goes to the next line that looks like a definition.
  void Recover(size_t offset) {
    for (Token token = At(offset);; token = After(token)) {
      at_ = token.span.begin;
      if (token.kind == Token::Kind::kEnd) return;
      if (token.first_on_line && ReadHead(token)) return;
    }
  }

  void FailHead(const Token& first) {
    block_.complete = false;
    const Token next = After(first);
    if (first.kind == Token::Kind::kBad) {
      Error(first.span, first.error, first.hint);
    } else if (!first.IsName()) {
      Error(first.span, absl::StrCat("a definition begins with a name, not ",
                                     Quoted(first.text)));
    } else if (next.kind == Token::Kind::kBad) {
      Error(next.span, next.error, next.hint);
    } else if (next.Is("/") || first.text == "d") {
      Error(first.span, "this is no differential equation",
            "write `dx/dt = ... : unit`");
    } else {
      Error(first.span,
            absl::StrCat("the definition of ", Quoted(first.text),
                         " lacks `:` or `=`"),
            "write `name : unit`, `name = formula : unit` or "
            "`dname/dt = formula : unit`");
    }
    Recover(first.span.end);
  }

  void ParseDefinition(const Token& first) {
    const std::optional<Head> head = ReadHead(first);
    if (!head) return FailHead(first);
    Definition definition;
    definition.kind = head->kind;
    definition.name = std::string(head->name);
    definition.name_span = head->name_span;
    at_ = head->end;
    if (definition.kind == Definition::Kind::kParameter ||
        ParseRightSide(definition)) {
      ParseUnit(definition);
    }
    block_.definitions.push_back(std::move(definition));
  }

  void MissingUnit(const Definition& definition, size_t end) {
    Error({end, end},
          absl::StrCat("the definition of ", Quoted(definition.name),
                       " ends here without its unit"),
          "a definition ends with `: unit`, e.g. `: volt`, or `: 1` for a "
          "plain number");
  }

  // Up to and past the colon; false if there is none.
  bool ParseRightSide(Definition& definition) {
    const size_t begin = at_;
    size_t last_end = begin;
    Token token = At(begin);
    bool next_definition = false;
    for (; token.kind != Token::Kind::kEnd && !token.Is(":");
         token = After(token)) {
      next_definition = BeginsAssignment(token);
      if (next_definition) break;
      last_end = token.span.end;
    }
    const bool colon = token.Is(":");
    ParsedExpression parsed = ReadExpression(text_, begin, token.span.begin);
    if (parsed.error) {
      const SyntaxError& error = *parsed.error;
      // The colon found belongs to the next definition if all before a new
      // line is a formula.
      if (colon && error.after_whole && error.token.IsName() &&
          error.token.first_on_line && !IsKeyword(error.token.text)) {
        definition.right_side =
            ReadExpression(text_, begin, error.token.span.begin).expression;
        MissingUnit(definition, EndBefore(begin, error.token.span.begin));
        at_ = error.token.span.begin;
        return false;
      }
      diagnostics_.Error("E_SYNTAX", source_, error.span,
                         absl::StrCat(error.message, ", in the definition of ",
                                      Quoted(definition.name)),
                         error.hint);
    }
    definition.right_side = std::move(parsed.expression);
    if (colon) {
      at_ = token.span.end;
      return true;
    }
    MissingUnit(definition, last_end);
    at_ = token.span.begin;
    return false;
  }

  // The end of the last token that begins before `limit`.
  size_t EndBefore(size_t begin, size_t limit) const {
    size_t end = begin;
    for (Token token = At(begin); token.span.begin < limit;
         token = After(token)) {
      end = token.span.end;
    }
    return end;
  }

  void ParseUnit(Definition& definition) {
    const size_t colon_end = at_;
    const Token first = At(at_);
    const size_t begin = first.span.begin;
    size_t end = begin;
    while (end < text_.size() && ContinuesUnit(text_[end])) ++end;
    size_t trimmed = end;
    while (trimmed > begin && text_[trimmed - 1] == ' ') --trimmed;
    if (trimmed == begin) {
      MissingUnit(definition, colon_end);
      return Recover(colon_end);
    }
    const Token next = At(end);
    // The run swallowed the head of another definition.
    if (first.first_on_line && ReadHead(first)) {
      MissingUnit(definition, colon_end);
      at_ = begin;
      return;
    }
    if (!next.first_on_line && (next.Is(":") || next.Is("="))) {
      Error(next.span,
            absl::StrCat("a second ", Quoted(next.text),
                         " on one line, in the definition of ",
                         Quoted(definition.name)),
            "each definition stands on a line of its own");
      block_.complete = false;
      return Recover(next.span.end);
    }
    definition.unit_text = std::string(text_.substr(begin, trimmed - begin));
    definition.unit_span = {begin, trimmed};
    at_ = end;
    if (next.Is("(")) {
      const char last = definition.unit_text.back();
      if (!next.first_on_line && (last == '*' || last == '/')) {
        Error(next.span, "parentheses are not possible in a unit",
              "write `siemens/metre**2` or `siemens*metre**-2`");
        definition.unit_text.clear();
        return Recover(next.span.end);
      }
      at_ = next.span.end;
      if (!ParseFlags(definition, next.span)) return Recover(at_);
    }
    const Token rest = At(at_);
    if (rest.kind == Token::Kind::kEnd || rest.first_on_line) {
      at_ = rest.span.begin;
      return;
    }
    FailBehindUnit(definition, rest);
  }

  void FailBehindUnit(Definition& definition, const Token& rest) {
    std::string hint;
    if (rest.Is("^")) {
      hint = "use `**` for powers";
    } else if (rest.kind == Token::Kind::kBad) {
      hint = rest.hint;
    } else if (rest.IsName() || rest.Is(";")) {
      hint = "each definition stands on a line of its own";
      block_.complete = false;
    }
    Error(rest.span,
          absl::StrCat(Quoted(rest.text), " cannot stand behind the unit of ",
                       Quoted(definition.name)),
          std::move(hint));
    definition.unit_text.clear();
    Recover(rest.span.end);
  }

  // From behind the '(' to behind the ')'.
  bool ParseFlags(Definition& definition, Span open) {
    std::string flag;
    Span span{at_, at_};
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size()) - 1;
      } else if (c == ',' || c == ')') {
        if (!flag.empty() && flag.back() == ' ') flag.pop_back();
        if (flag.empty() || !absl::ascii_isalpha(flag[0])) {
          Error({at_, at_ + 1}, "a flag is missing here");
          return false;
        }
        definition.flags.push_back(std::move(flag));
        definition.flag_spans.push_back(span);
        flag.clear();
        if (c == ')') {
          ++at_;
          return true;
        }
      } else if (absl::ascii_isspace(c)) {
        if (!flag.empty() && flag.back() != ' ') flag += ' ';
      } else if (absl::ascii_isalnum(c) || c == '_' || c == '-') {
        if (flag.empty()) span.begin = at_;
        flag += c;
        span.end = at_ + 1;
      } else {
        const std::string_view list =
            text_.substr(open.begin, at_ - open.begin);
        if (list.find('\n') != std::string_view::npos) break;
        Error({at_, at_ + 1}, absl::StrCat(Quoted(text_.substr(at_, 1)),
                                           " cannot stand in a list of flags"));
        return false;
      }
    }
    Error(open, "the list of flags is never closed");
    at_ = open.end;
    return false;
  }

  const Source& source_;
  std::string_view text_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
  EquationBlock block_;
};

}  // namespace

EquationBlock ParseEquations(const Source& source, Diagnostics& diagnostics) {
  if (source.text.size() > kMaxSourceBytes) {
    diagnostics.FieldError(
        "E_PARSE", source.field,
        absl::StrCat("the text has ", source.text.size(), " bytes, at most ",
                     kMaxSourceBytes, " are read"));
    return {{}, false};
  }
  return BlockParser(source, diagnostics).Parse();
}

Expression ParseExpression(const Source& source, Diagnostics& diagnostics) {
  if (source.text.size() > kMaxSourceBytes) {
    diagnostics.FieldError(
        "E_SYNTAX", source.field,
        absl::StrCat("the text has ", source.text.size(), " bytes, at most ",
                     kMaxSourceBytes, " are read"));
    return {};
  }
  ParsedExpression parsed = ReadExpression(source.text, 0, source.text.size());
  if (parsed.error) {
    diagnostics.Error("E_SYNTAX", source, parsed.error->span,
                      parsed.error->message, parsed.error->hint);
  }
  return std::move(parsed.expression);
}

}  // namespace somafit
