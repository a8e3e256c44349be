#include "worker/core/lang/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The expression with all parentheses, or the error.
std::string Tree(const std::string& text) {
  Diagnostics diagnostics;
  const Expression expression = ParseExpression({"x", text}, diagnostics);
  if (!expression.valid()) {
    return diagnostics.empty() ? "no word" : diagnostics.all()[0].code;
  }
  std::vector<std::string> texts;
  for (const Node& node : expression.nodes) {
    std::string result;
    if (const auto* number = std::get_if<Number>(&node.form)) {
      result = std::to_string(static_cast<int>(number->value));
    } else if (const auto* boolean = std::get_if<Boolean>(&node.form)) {
      result = boolean->value ? "True" : "False";
    } else if (const auto* name = std::get_if<Name>(&node.form)) {
      result = name->name;
    } else if (const auto* unary = std::get_if<Unary>(&node.form)) {
      result = "(" + std::string(OperatorText(unary->op)) + " " +
               texts[unary->operand] + ")";
    } else if (const auto* binary = std::get_if<Binary>(&node.form)) {
      result = "(" + texts[binary->left] + " " +
               std::string(OperatorText(binary->op)) + " " +
               texts[binary->right] + ")";
    } else if (const auto* call = std::get_if<Call>(&node.form)) {
      result = call->function + "(";
      for (const NodeId id : call->arguments) result += texts[id] + ";";
      result += ")";
    }
    texts.push_back(result);
  }
  return texts[expression.root];
}

TEST(ParserTest, KnowsPrecedence) {
  const std::pair<const char*, const char*> rows[] = {
      {"a + b*c", "(a + (b * c))"},
      {"a - b - c", "((a - b) - c)"},
      {"a/b*c", "((a / b) * c)"},
      {"-x**2", "(- (x ** 2))"},
      {"2**-1", "(2 ** (- 1))"},
      {"2**3**2", "(2 ** (3 ** 2))"},
      {"(2**3)**2", "((2 ** 3) ** 2)"},
      {"-7//2", "((- 7) // 2)"},
      {"a*-b", "(a * (- b))"},
      {"a - -b", "(a - (- b))"},
      {"a**-b**c", "(a ** (- (b ** c)))"},
      {"not a < b", "(not (a < b))"},
      {"not 0 < x and x < 5", "((not (0 < x)) and (x < 5))"},
      {"a or b and not c", "(a or (b and (not c)))"},
      {"not not a", "(not (not a))"},
      {"a and b == c + 1", "(a and (b == (c + 1)))"},
      {"f(x, y+1,)", "f(x;(y + 1);)"},
      {"f()", "f()"},
      {"a # c\n + b", "(a + b)"},
      {"True", "True"},
  };
  for (const auto& [text, tree] : rows) EXPECT_EQ(Tree(text), tree) << text;
}

TEST(ParserTest, RefusesTheRestOfPython) {
  for (const char* text : {"0 < x < 5",
                           "x ^ 2",
                           "b & b",
                           "b | b",
                           "x[0]",
                           "x.real",
                           "x if b else 0",
                           "clip(x, lo=0)",
                           "f(*x)",
                           "(x, x)",
                           "x, x",
                           "~n",
                           "n << 2",
                           "n >> 2",
                           "a @ b",
                           "(y := 3)",
                           "x in y",
                           "x is y",
                           "None",
                           "lambda: 0",
                           "'a'",
                           "007",
                           "1j",
                           "1__0",
                           "10 x",
                           "10 mV",
                           "2(x)",
                           "(f)(x)",
                           "f(x)(y)",
                           "f(,)",
                           "",
                           "()",
                           "(",
                           ")",
                           "a +",
                           "* a",
                           "a not b",
                           "a < not b",
                           "and",
                           "x $ y",
                           "a; b"}) {
    EXPECT_EQ(Tree(text), "E_SYNTAX") << text;
  }
}

TEST(ParserTest, LimitsNesting) {
  const auto nested = [](size_t n) {
    return std::string(n, '(') + "x" + std::string(n, ')');
  };
  EXPECT_EQ(Tree(nested(200)), "x");
  EXPECT_EQ(Tree(nested(201)), "E_SYNTAX");
  EXPECT_EQ(Tree(nested(100'000)), "E_SYNTAX");
  EXPECT_EQ(Tree(std::string(100'000, '-') + "x"), "E_SYNTAX");
  std::string chain = "x";
  for (int i = 0; i < 10'000; ++i) chain += "**x";
  EXPECT_EQ(Tree(chain), "E_SYNTAX");
  std::string mixed;
  for (int i = 0; i < 100; ++i) mixed += "a or b and not c < d + e*(";
  EXPECT_EQ(Tree(mixed + "x" + std::string(100, ')')).substr(0, 3), "(a ");
}

TEST(ParserTest, LimitsNodesAndBytes) {
  std::string sum = "x";
  for (int i = 0; i < 45'000; ++i) sum += "+x";
  Diagnostics fine;
  EXPECT_TRUE(ParseExpression({"x", sum}, fine).valid());
  for (int i = 0; i < 20'000; ++i) sum += "+x";
  Diagnostics too_many;
  EXPECT_FALSE(ParseExpression({"x", sum}, too_many).valid());
  EXPECT_THAT(too_many.Render(), HasSubstr("100000"));
  Diagnostics too_long;
  ParseEquations({"x", std::string(300'000, ' ')}, too_long);
  EXPECT_TRUE(too_long.HasErrors());
}

TEST(ParserTest, ReadsBlocks) {
  Diagnostics diagnostics;
  const EquationBlock block = ParseEquations(
      {"x",
       "# head\r\ndv/dt = -(v +   # leak\r\n   I)    # input\r\n"
       "   / tau : volt\r\n"
       "I = 2*mV : volt # const\n\nd w / dt = 0/second : 1 (unless \t"
       " refractory)\n"
       "g : siemens/metre**2\n ( constant ,shared )\nd : 1\ndv = 3 : 1"},
      diagnostics);
  EXPECT_EQ(diagnostics.Render(), "");
  ASSERT_EQ(block.definitions.size(), 6u);
  EXPECT_TRUE(block.complete);
  const auto& v = block.definitions[0];
  EXPECT_EQ(v.name, "v");
  EXPECT_EQ(v.kind, Definition::Kind::kDifferential);
  EXPECT_EQ(PrintExpression(v.right_side), "-(v + I)/tau");
  EXPECT_EQ(v.unit_text, "volt");
  EXPECT_EQ(block.definitions[1].name, "I");
  EXPECT_EQ(block.definitions[1].unit_text, "volt");
  EXPECT_EQ(block.definitions[2].name, "w");
  EXPECT_THAT(block.definitions[2].flags, ElementsAre("unless refractory"));
  EXPECT_EQ(block.definitions[3].unit_text, "siemens/metre**2");
  EXPECT_THAT(block.definitions[3].flags, ElementsAre("constant", "shared"));
  EXPECT_EQ(block.definitions[4].name, "d");
  EXPECT_EQ(block.definitions[5].name, "dv");
  EXPECT_EQ(block.definitions[5].kind, Definition::Kind::kSubexpression);
}

TEST(ParserTest, PointsAtTheLineThatLacksItsUnit) {
  struct Row {
    const char* text;
    int line;
    size_t definitions;
  };
  const Row rows[] = {
      {"dv/dt = -v/tau", 1, 1},
      {"dv/dt = -v/tau\nw : 1", 1, 2},
      {"dv/dt = -v/tau\n\n\n", 1, 1},
      {"dv/dt = -v/tau\ndw/dt = -w/tau : 1", 1, 2},
      {"dv/dt = -v +\nx = 3 : 1", 1, 2},
      {"a : 1\ndv/dt = -v\n  /tau\nw : 1", 3, 3},
      {"a :\nb : 1", 1, 2},
      {"a :\ndb/dt = 3 : 1", 1, 2},
      {"a : (constant)\nb : 1", 1, 2},
  };
  for (const Row& row : rows) {
    Diagnostics diagnostics;
    const auto block = ParseEquations({"x", row.text}, diagnostics);
    EXPECT_EQ(block.definitions.size(), row.definitions) << row.text;
    bool found = false;
    for (const Diagnostic& each : diagnostics.all()) {
      found |= each.code == "E_PARSE" && each.begin.line == row.line &&
               each.message.find("unit") != std::string::npos;
    }
    EXPECT_TRUE(found) << row.text << "\n" << diagnostics.Render();
  }
}

TEST(ParserTest, GoesOnAfterEachMistake) {
  Diagnostics diagnostics;
  const EquationBlock block = ParseEquations({"x",
                                              "dv/d = -v/tau : 1\n"
                                              "a = 2 3 : 1\n"
                                              "b : volt c : 1\n"
                                              "skipped with the line before\n"
                                              "e = x^2 : 1\n"
                                              "f : siemens/(metre**2)\n"
                                              "g : 1 (constant\n"
                                              "h : 1"},
                                             diagnostics);
  std::vector<int> lines;
  for (const auto& each : diagnostics.all()) lines.push_back(each.begin.line);
  EXPECT_THAT(lines, ElementsAre(1, 2, 3, 5, 6, 7)) << diagnostics.Render();
  EXPECT_FALSE(block.complete);
}

TEST(ParserTest, SpansCoverOperatorsAndParentheses) {
  Diagnostics diagnostics;
  const Expression expression =
      ParseExpression({"x", "a*(b + c)"}, diagnostics);
  ASSERT_TRUE(expression.valid());
  const Node& root = expression.nodes[expression.root];
  EXPECT_EQ(root.span.begin, 0u);
  EXPECT_EQ(root.span.end, 9u);
  EXPECT_EQ(root.operator_span.begin, 1u);
  EXPECT_EQ(root.operator_span.end, 2u);
}

}  // namespace
}  // namespace somafit
