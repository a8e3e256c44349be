#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "worker/core/lang/source.h"

namespace somafit {

// The syntax of an expression, as written. Nodes lie in one vector, operands
// before the nodes that use them, so that every walk is a loop: no input can
// exhaust the stack.
using NodeId = int32_t;

enum class UnaryOperator : uint8_t { kPlus, kMinus, kNot };
enum class BinaryOperator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
};
std::string_view OperatorText(UnaryOperator op);
std::string_view OperatorText(BinaryOperator op);

// Of numbers and truth values; the order is that of the language: a result has
// the highest of its operands' types.
enum class ValueType : uint8_t { kBoolean, kInteger, kFloat };

struct Number {
  double value = 0;
  bool integer = false;
  friend bool operator==(const Number&, const Number&) = default;
};
struct Boolean {
  bool value = false;
  friend bool operator==(const Boolean&, const Boolean&) = default;
};
struct Name {
  std::string name;
  friend bool operator==(const Name&, const Name&) = default;
};
struct Unary {
  UnaryOperator op;
  NodeId operand;
  friend bool operator==(const Unary&, const Unary&) = default;
};
struct Binary {
  BinaryOperator op;
  NodeId left;
  NodeId right;
  friend bool operator==(const Binary&, const Binary&) = default;
};
struct Call {
  std::string function;
  std::vector<NodeId> arguments;
  // Of a random function, once checked: its number among the model's
  // occurrences of such, so that each draws for itself.
  int32_t site = -1;
  friend bool operator==(const Call&, const Call&) = default;
};

struct Node {
  std::variant<Number, Boolean, Name, Unary, Binary, Call> form;
  Span span;           // the whole of the node in the source
  Span operator_span;  // the operator or function name
};

struct Expression {
  std::vector<Node> nodes;
  NodeId root = -1;  // -1: could not be parsed
  // Per node, once it has been checked without errors.
  std::vector<ValueType> types;

  bool valid() const { return root >= 0; }
};

// As text with the fewest parentheses; parsing it gives the same tree.
std::string PrintExpression(const Expression& expression);
// The part of it below `root`.
std::string PrintExpression(const Expression& expression, NodeId root);

// One line of an equation block.
struct Definition {
  enum class Kind : uint8_t { kParameter, kSubexpression, kDifferential };
  Kind kind = Kind::kParameter;
  std::string name;
  Span name_span;
  Expression right_side;  // not for kParameter
  std::string unit_text;  // trimmed; "" if it could not be read
  Span unit_span;
  std::vector<std::string> flags;
  std::vector<Span> flag_spans;
};

struct EquationBlock {
  std::vector<Definition> definitions;
  // Whether every definition of the text is there, at least by its name.
  bool complete = true;
};

}  // namespace somafit
