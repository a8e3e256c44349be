#include "worker/core/lang/expression_parser.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/lang/parser.h"

namespace somafit {
namespace {

// How tightly operators bind, loosest first.
enum Level {
  kOrLevel = 1,
  kAndLevel,
  kNotLevel,
  kComparisonLevel,
  kSumLevel,
  kTermLevel,
  kSignLevel,
  kPowerLevel,
};

struct OperatorRow {
  std::string_view text;
  BinaryOperator op;
  Level level;
};

constexpr OperatorRow kOperators[] = {
    {"+", BinaryOperator::kAdd, kSumLevel},
    {"-", BinaryOperator::kSubtract, kSumLevel},
    {"*", BinaryOperator::kMultiply, kTermLevel},
    {"/", BinaryOperator::kDivide, kTermLevel},
    {"//", BinaryOperator::kFloorDivide, kTermLevel},
    {"%", BinaryOperator::kModulo, kTermLevel},
    {"**", BinaryOperator::kPower, kPowerLevel},
    {"<", BinaryOperator::kLess, kComparisonLevel},
    {"<=", BinaryOperator::kLessEqual, kComparisonLevel},
    {">", BinaryOperator::kGreater, kComparisonLevel},
    {">=", BinaryOperator::kGreaterEqual, kComparisonLevel},
    {"==", BinaryOperator::kEqual, kComparisonLevel},
    {"!=", BinaryOperator::kNotEqual, kComparisonLevel},
    {"and", BinaryOperator::kAnd, kAndLevel},
    {"or", BinaryOperator::kOr, kOrLevel},
};

const OperatorRow* FindOperator(const Token& token) {
  if (token.kind != Token::Kind::kOperator && !token.IsName()) return nullptr;
  for (const OperatorRow& row : kOperators) {
    if (row.text == token.text) return &row;
  }
  return nullptr;
}

// The remedy for what other languages have and this one does not.
std::string_view HintFor(const Token& token) {
  struct Row {
    std::string_view text, hint;
  };
  static constexpr Row kRows[] = {
      {"^", "use `**` for powers"},
      {"&", "use `and`"},
      {"|", "use `or`"},
      {"~", "use `not`"},
      {"!", "use `not`"},
      {"=", "use `==` to compare; arguments have no keywords"},
      {":=", "an expression cannot assign"},
      {"[", "there are no lists and no indexing"},
      {"{", "there are no sets or tables"},
      {".", "there are no members; a number needs a digit beside its dot"},
      {",", "there are no tuples"},
      {";", "a newline separates definitions"},
      {"<<", "there are no bit operations"},
      {">>", "there are no bit operations"},
      {"@", "there is no matrix product"},
      {"if", "there is no conditional expression"},
      {"else", "there is no conditional expression"},
      {"in", "there are no containers"},
      {"is", "use `==` to compare"},
      {"lambda", "there are no functions to define"},
      {"None", "every value is a number"},
  };
  for (const Row& row : kRows) {
    if (row.text == token.text) return row.hint;
  }
  return "";
}

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, size_t begin, size_t end)
      : text_(text), end_(end), last_end_(begin) {
    Advance(begin);
  }

  ParsedExpression Parse() {
    const NodeId root = ParseOperators(kOrLevel);
    if (!error_ && token_.kind != Token::Kind::kEnd) {
      FailAfterOperand();
      error_->after_whole = true;
    }
    ParsedExpression result;
    if (error_) {
      result.error = std::move(error_);
      return result;
    }
    result.expression.nodes = std::move(nodes_);
    result.expression.root = root;
    return result;
  }

 private:
  void Advance(size_t offset) { token_ = LexToken(text_, offset, end_); }
  void Take() {
    last_end_ = token_.span.end;
    Advance(token_.span.end);
  }

  // Only the first error of an expression means anything.
  NodeId Fail(Span span, std::string message, std::string hint = "") {
    if (!error_) {
      error_ =
          SyntaxError{span, std::move(message), std::move(hint), false, token_};
    }
    return -1;
  }

  NodeId FailNoOperand() {
    if (token_.kind == Token::Kind::kBad) {
      return Fail(token_.span, token_.error, token_.hint);
    }
    if (token_.kind == Token::Kind::kEnd) {
      return Fail({last_end_, last_end_},
                  nodes_.empty() ? "the expression is missing"
                                 : "the expression ends too early");
    }
    if (token_.Is("*") || token_.Is("**")) {
      return Fail(token_.span,
                  absl::StrCat("a number or name is missing before ",
                               Quoted(token_.text)));
    }
    return Fail(
        token_.span,
        absl::StrCat("a number or name is expected, not ", Quoted(token_.text)),
        std::string(HintFor(token_)));
  }

  NodeId FailAfterOperand() {
    if (token_.kind == Token::Kind::kBad) {
      return Fail(token_.span, token_.error, token_.hint);
    }
    if (token_.kind == Token::Kind::kEnd) {
      return Fail({last_end_, last_end_}, "the expression ends too early");
    }
    std::string hint(HintFor(token_));
    if (hint.empty() &&
        (token_.IsName() || token_.kind == Token::Kind::kNumber ||
         token_.Is("("))) {
      hint = "there is no implicit multiplication: write `*`";
    }
    if (token_.Is(")")) hint = "there is no `(` for it";
    return Fail(token_.span,
                absl::StrCat(Quoted(token_.text), " cannot stand here"),
                std::move(hint));
  }

  NodeId Add(Node node) {
    if (nodes_.size() >= kMaxNodes) {
      return Fail(node.span, absl::StrCat("an expression may have at most ",
                                          kMaxNodes, " parts"));
    }
    nodes_.push_back(std::move(node));
    return static_cast<NodeId>(nodes_.size() - 1);
  }

  bool Descend() {
    if (++depth_ <= kMaxNesting) return true;
    Fail(token_.span, absl::StrCat("the expression is nested more than ",
                                   kMaxNesting, " deep"));
    return false;
  }

  // Operators that bind at least as tightly as `least`. Its depth on the stack
  // is at most the number of levels for each Descend.
  NodeId ParseOperators(int least) {
    NodeId left = ParseOperand(least);
    while (!error_) {
      const OperatorRow* row = FindOperator(token_);
      if (row == nullptr || row->level < least) break;
      const Token op = token_;
      Take();
      NodeId right;
      if (row->level == kPowerLevel) {
        if (!Descend()) return -1;
        right = ParseOperators(kSignLevel);
        --depth_;
      } else {
        right = ParseOperators(row->level + 1);
      }
      if (error_) return -1;
      const Span span{nodes_[left].span.begin, last_end_};
      left = Add({Binary{row->op, left, right}, span, op.span});
      if (error_ || row->level != kComparisonLevel) continue;
      const OperatorRow* next = FindOperator(token_);
      if (next != nullptr && next->level == kComparisonLevel) {
        return Fail(token_.span, "comparisons cannot be chained",
                    "join two comparisons with `and`");
      }
    }
    return error_ ? -1 : left;
  }

  NodeId ParseOperand(int least) {
    const bool negation = token_.IsName("not") && least <= kNotLevel;
    if (!negation && !token_.Is("+") && !token_.Is("-")) return ParseAtom();
    const Token op = token_;
    if (!Descend()) return -1;
    Take();
    const NodeId operand = ParseOperators(negation ? kNotLevel : kSignLevel);
    --depth_;
    if (error_) return -1;
    const UnaryOperator unary = negation         ? UnaryOperator::kNot
                                : op.text == "+" ? UnaryOperator::kPlus
                                                 : UnaryOperator::kMinus;
    return Add({Unary{unary, operand}, {op.span.begin, last_end_}, op.span});
  }

  NodeId ParseAtom() {
    const Token token = token_;
    if (token.kind == Token::Kind::kNumber) {
      Take();
      return Add({Number{token.value, token.integer}, token.span, token.span});
    }
    if (token.IsName("True") || token.IsName("False")) {
      Take();
      return Add({Boolean{token.text == "True"}, token.span, token.span});
    }
    if (token.IsName() && !IsKeyword(token.text)) {
      Take();
      if (token_.Is("(")) return ParseCall(token);
      return Add({Name{std::string(token.text)}, token.span, token.span});
    }
    if (token.Is("(")) return ParseParentheses();
    return FailNoOperand();
  }

  NodeId ParseParentheses() {
    const Token open = token_;
    if (!Descend()) return -1;
    Take();
    const NodeId inner = ParseOperators(kOrLevel);
    --depth_;
    if (error_) return -1;
    if (!Close(open)) return -1;
    nodes_[inner].span = {open.span.begin, last_end_};
    return inner;
  }

  bool Close(const Token& open) {
    if (token_.Is(")")) {
      Take();
      return true;
    }
    if (token_.kind == Token::Kind::kEnd) {
      Fail(open.span, "this parenthesis is never closed");
    } else {
      FailAfterOperand();
    }
    return false;
  }

  NodeId ParseCall(const Token& function) {
    const Token open = token_;
    if (!Descend()) return -1;
    Take();
    Call call{std::string(function.text), {}};
    while (!token_.Is(")")) {
      const NodeId argument = ParseOperators(kOrLevel);
      if (error_) return -1;
      call.arguments.push_back(argument);
      if (!token_.Is(",")) break;
      Take();
    }
    --depth_;
    if (!Close(open)) return -1;
    return Add(
        {std::move(call), {function.span.begin, last_end_}, function.span});
  }

  std::string_view text_;
  size_t end_;
  size_t last_end_;  // of the token taken last
  Token token_;
  int depth_ = 0;
  std::vector<Node> nodes_;
  std::optional<SyntaxError> error_;
};

}  // namespace

ParsedExpression ReadExpression(std::string_view text, size_t begin,
                                size_t end) {
  return ExpressionParser(text, begin, end).Parse();
}

}  // namespace somafit
