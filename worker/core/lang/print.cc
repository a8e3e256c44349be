#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/ast.h"

namespace somafit {
namespace {

constexpr int kAtomLevel = 9;
constexpr int kPowerLevel = 8;
constexpr int kSignLevel = 7;
constexpr int kNotLevel = 3;

int LevelOf(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kOr:
      return 1;
    case BinaryOperator::kAnd:
      return 2;
    case BinaryOperator::kLess:
    case BinaryOperator::kLessEqual:
    case BinaryOperator::kGreater:
    case BinaryOperator::kGreaterEqual:
    case BinaryOperator::kEqual:
    case BinaryOperator::kNotEqual:
      return 4;
    case BinaryOperator::kAdd:
    case BinaryOperator::kSubtract:
      return 5;
    case BinaryOperator::kMultiply:
    case BinaryOperator::kDivide:
    case BinaryOperator::kFloorDivide:
    case BinaryOperator::kModulo:
      return 6;
    case BinaryOperator::kPower:
      return kPowerLevel;
  }
  return kAtomLevel;
}

int LevelOf(const Node& node) {
  if (const auto* binary = std::get_if<Binary>(&node.form)) {
    return LevelOf(binary->op);
  }
  if (const auto* unary = std::get_if<Unary>(&node.form)) {
    return unary->op == UnaryOperator::kNot ? kNotLevel : kSignLevel;
  }
  return kAtomLevel;
}

std::string NumberText(const Number& number) {
  if (std::isinf(number.value)) return "1e999";
  if (number.integer) return absl::StrCat(static_cast<int64_t>(number.value));
  std::string text = ShortestText(number.value);
  // A float must not read back as an integer.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

// Writes a tree from left to right with a stack of what is still to come, in
// time proportional to the text.
class Printer {
 public:
  explicit Printer(const Expression& expression) : expression_(expression) {}

  std::string Print(NodeId root) {
    Later(root, 0);
    while (!pending_.empty()) {
      const Piece piece = std::move(pending_.back());
      pending_.pop_back();
      if (piece.node < 0) {
        text_ += piece.text;
        continue;
      }
      const Node& node = expression_.nodes[piece.node];
      if (LevelOf(node) < piece.least) {
        text_ += '(';
        Later(")");
      }
      std::visit([this](const auto& form) { Write(form); }, node.form);
    }
    return std::move(text_);
  }

 private:
  struct Piece {
    NodeId node;
    int least;  // parentheses around what binds less tightly
    std::string_view text;
  };

  void Later(NodeId node, int least) { pending_.push_back({node, least, {}}); }
  void Later(std::string_view text) { pending_.push_back({-1, 0, text}); }

  void Write(const Number& number) { text_ += NumberText(number); }
  void Write(const Boolean& boolean) {
    text_ += boolean.value ? "True" : "False";
  }
  void Write(const Name& name) { text_ += name.name; }
  void Write(const Unary& unary) {
    text_ += OperatorText(unary.op);
    const bool negation = unary.op == UnaryOperator::kNot;
    if (negation) text_ += ' ';
    Later(unary.operand, negation ? kNotLevel : kSignLevel);
  }
  void Write(const Binary& binary) {
    const int level = LevelOf(binary.op);
    const bool power = level == kPowerLevel;
    const bool comparison = level == 4;
    const bool spaced = level <= 5;
    Later(binary.right, power ? kSignLevel : level + 1);
    if (spaced) Later(" ");
    Later(OperatorText(binary.op));
    if (spaced) Later(" ");
    Later(binary.left, power || comparison ? level + 1 : level);
  }
  void Write(const Call& call) {
    absl::StrAppend(&text_, call.function, "(");
    Later(")");
    for (size_t i = call.arguments.size(); i-- > 0;) {
      Later(call.arguments[i], 0);
      if (i > 0) Later(", ");
    }
  }

  const Expression& expression_;
  std::string text_;
  std::vector<Piece> pending_;
};

}  // namespace

std::string_view OperatorText(UnaryOperator op) {
  switch (op) {
    case UnaryOperator::kPlus:
      return "+";
    case UnaryOperator::kMinus:
      return "-";
    case UnaryOperator::kNot:
      return "not";
  }
  return "";
}

std::string_view OperatorText(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kAdd:
      return "+";
    case BinaryOperator::kSubtract:
      return "-";
    case BinaryOperator::kMultiply:
      return "*";
    case BinaryOperator::kDivide:
      return "/";
    case BinaryOperator::kFloorDivide:
      return "//";
    case BinaryOperator::kModulo:
      return "%";
    case BinaryOperator::kPower:
      return "**";
    case BinaryOperator::kLess:
      return "<";
    case BinaryOperator::kLessEqual:
      return "<=";
    case BinaryOperator::kGreater:
      return ">";
    case BinaryOperator::kGreaterEqual:
      return ">=";
    case BinaryOperator::kEqual:
      return "==";
    case BinaryOperator::kNotEqual:
      return "!=";
    case BinaryOperator::kAnd:
      return "and";
    case BinaryOperator::kOr:
      return "or";
  }
  return "";
}

std::string PrintExpression(const Expression& expression) {
  return expression.valid() ? PrintExpression(expression, expression.root) : "";
}

std::string PrintExpression(const Expression& expression, NodeId root) {
  return Printer(expression).Print(root);
}

}  // namespace somafit
