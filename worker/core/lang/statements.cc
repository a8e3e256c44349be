#include "worker/core/lang/statements.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/lang/expression_parser.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/lang/parser.h"

namespace somafit {
namespace {

struct AssignmentRow {
  std::string_view text;
  std::optional<BinaryOperator> op;  // nullopt: plain
};

constexpr AssignmentRow kAssignments[] = {
    {"=", std::nullopt},
    {"+=", BinaryOperator::kAdd},
    {"-=", BinaryOperator::kSubtract},
    {"*=", BinaryOperator::kMultiply},
    {"/=", BinaryOperator::kDivide},
    {"%=", BinaryOperator::kModulo},
};

const AssignmentRow* FindAssignment(const Token& token) {
  if (token.kind != Token::Kind::kOperator) return nullptr;
  for (const AssignmentRow& row : kAssignments) {
    if (row.text == token.text) return &row;
  }
  return nullptr;
}

// `name op= right` as `name op (right)`.
Expression Applied(BinaryOperator op, const Token& name, const Token& sign,
                   Expression right) {
  // Operands lie before what uses them, and the name is a new one.
  const auto shift = [](NodeId& id) { ++id; };
  Expression result;
  result.nodes.reserve(right.nodes.size() + 2);
  result.nodes.push_back({Name{std::string(name.text)}, name.span, name.span});
  for (Node& node : right.nodes) {
    if (auto* const unary = std::get_if<Unary>(&node.form)) {
      shift(unary->operand);
    } else if (auto* const binary = std::get_if<Binary>(&node.form)) {
      shift(binary->left);
      shift(binary->right);
    } else if (auto* const call = std::get_if<Call>(&node.form)) {
      std::for_each(call->arguments.begin(), call->arguments.end(), shift);
    }
    result.nodes.push_back(std::move(node));
  }
  const NodeId root = right.root + 1;
  const Span span{name.span.begin, result.nodes[root].span.end};
  result.nodes.push_back({Binary{op, 0, root}, span, sign.span});
  result.root = static_cast<NodeId>(result.nodes.size()) - 1;
  return result;
}

class CodeParser {
 public:
  CodeParser(const Source& source, Diagnostics& diagnostics)
      : source_(source), text_(source.text), diagnostics_(diagnostics) {}

  std::vector<Statement> Parse() {
    size_t begin = 0;
    while (begin < text_.size() && !diagnostics_.full()) {
      const size_t end =
          std::min(text_.find_first_of(";\n#", begin), text_.size());
      ParsePiece(begin, end);
      // A comment goes on to the end of its line, semicolons included.
      begin =
          end < text_.size() && text_[end] == '#' ? text_.find('\n', end) : end;
      if (begin != std::string_view::npos) ++begin;
      begin = std::min(begin, text_.size());
    }
    return std::move(statements_);
  }

 private:
  void Error(Span span, std::string message, std::string hint = "") {
    diagnostics_.Error("E_SYNTAX", source_, span, std::move(message),
                       std::move(hint));
  }

  void ParsePiece(size_t begin, size_t end) {
    const Token first = LexToken(text_, begin, end);
    if (first.kind == Token::Kind::kEnd) return;
    const Token sign = LexToken(text_, first.span.end, end);
    const AssignmentRow* const row = FindAssignment(sign);
    if (!first.IsName() || IsKeyword(first.text) || row == nullptr) {
      // What follows a mistake may be its rest.
      const bool rest = before_ == Outcome::kBadValue ||
                        (before_ == Outcome::kBadBegin && !first.IsName());
      if (rest) return;
      before_ = Outcome::kBadBegin;
      return NoAssignment(first, sign);
    }
    if (full_) return;
    full_ = statements_.size() >= kMaxStatements;
    if (full_) {
      return Error(first.span, absl::StrCat("code may have at most ",
                                            kMaxStatements, " statements"));
    }
    before_ = Outcome::kGood;
    ParsedExpression parsed = ReadExpression(text_, sign.span.end, end);
    if (parsed.error) {
      before_ = Outcome::kBadValue;
      return Error(parsed.error->span,
                   absl::StrCat(parsed.error->message,
                                ", in the assignment to ", Quoted(first.text)),
                   parsed.error->hint);
    }
    Statement statement;
    statement.name = std::string(first.text);
    statement.name_span = first.span;
    statement.value =
        row->op ? Applied(*row->op, first, sign, std::move(parsed.expression))
                : std::move(parsed.expression);
    statements_.push_back(std::move(statement));
  }

  void NoAssignment(const Token& first, const Token& sign) {
    constexpr char kForm[] = "a statement is `name = formula`";
    if (first.kind == Token::Kind::kBad) {
      Error(first.span, first.error, first.hint);
    } else if (first.IsName() && IsKeyword(first.text)) {
      Error(first.span,
            absl::StrCat(Quoted(first.text),
                         " cannot stand here, code is assignments only"),
            "where it depends on a condition, multiply by int(condition)");
    } else if (!first.IsName()) {
      Error(first.span,
            absl::StrCat("a statement begins with a name, not ",
                         Quoted(first.text)),
            "a formula ends with its line");
    } else if (sign.kind == Token::Kind::kBad) {
      Error(sign.span, sign.error, sign.hint);
    } else if (sign.Is("==")) {
      Error(sign.span, "`==` compares and does not assign", "use `=`");
    } else if (sign.kind == Token::Kind::kOperator && sign.text.size() > 1 &&
               sign.text.ends_with('=')) {
      Error(sign.span, absl::StrCat(Quoted(sign.text), " is no assignment"),
            "there are =, +=, -=, *=, /= and %=");
    } else {
      Error(sign.kind == Token::Kind::kEnd ? first.span : sign.span,
            absl::StrCat("the statement that begins with ", Quoted(first.text),
                         " assigns nothing"),
            kForm);
    }
  }

  const Source& source_;
  std::string_view text_;
  Diagnostics& diagnostics_;
  enum class Outcome : uint8_t { kGood, kBadBegin, kBadValue };
  Outcome before_ = Outcome::kGood;  // of the statement before
  bool full_ = false;
  std::vector<Statement> statements_;
};

}  // namespace

std::vector<Statement> ParseStatements(const Source& source,
                                       Diagnostics& diagnostics) {
  if (source.text.size() > kMaxSourceBytes) {
    diagnostics.FieldError(
        "E_SYNTAX", source.field,
        absl::StrCat("the text has ", source.text.size(), " bytes, at most ",
                     kMaxSourceBytes, " are read"));
    return {};
  }
  return CodeParser(source, diagnostics).Parse();
}

bool IsBlank(std::string_view text) {
  return LexToken(text, 0, text.size()).kind == Token::Kind::kEnd;
}

}  // namespace somafit
