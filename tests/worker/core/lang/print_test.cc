#include <random>

#include <gtest/gtest.h>

#include "worker/core/lang/parser.h"

namespace somafit {
namespace {

// Trees of every node kind, operands before their users as the parser has it.
class RandomTree {
 public:
  explicit RandomTree(unsigned seed) : random_(seed) {}

  Expression Make() {
    expression_ = {};
    expression_.root = Grow(5);
    return std::move(expression_);
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }

  NodeId Add(decltype(Node::form) form) {
    expression_.nodes.push_back({std::move(form), {}, {}});
    return static_cast<NodeId>(expression_.nodes.size() - 1);
  }

  NodeId Grow(int depth) {
    const int kind = depth == 0 ? Below(3) : Below(10);
    switch (kind) {
      case 0:
        return Add(Name{std::string(1, "abxyz"[Below(5)])});
      case 1:
        return Add(Boolean{Below(2) == 0});
      case 2: {
        if (Below(2) == 0) return Add(Number{double(Below(1000)), true});
        const double values[] = {0.5, 1e-8, 3, 1e300, 1.0 / 3, 5e-324};
        return Add(Number{values[Below(6)], false});
      }
      case 3: {
        Call call{"f", {}};
        for (int n = Below(4); n > 0; --n) {
          call.arguments.push_back(Grow(depth - 1));
        }
        return Add(std::move(call));
      }
      case 4:
      case 5: {
        const NodeId operand = Grow(depth - 1);
        return Add(Unary{static_cast<UnaryOperator>(Below(3)), operand});
      }
      default: {
        const NodeId left = Grow(depth - 1);
        const NodeId right = Grow(depth - 1);
        return Add(Binary{static_cast<BinaryOperator>(Below(15)), left, right});
      }
    }
  }

  std::mt19937 random_;
  Expression expression_;
};

TEST(PrintTest, PrintedTreesReadBackEqual) {
  RandomTree trees(20240601);
  for (int run = 0; run < 20'000; ++run) {
    const Expression tree = trees.Make();
    const std::string text = PrintExpression(tree);
    Diagnostics diagnostics;
    const Expression back = ParseExpression({"x", text}, diagnostics);
    ASSERT_TRUE(back.valid()) << text << "\n" << diagnostics.Render();
    ASSERT_EQ(back.nodes.size(), tree.nodes.size()) << text;
    for (size_t i = 0; i < tree.nodes.size(); ++i) {
      ASSERT_EQ(back.nodes[i].form, tree.nodes[i].form) << text;
    }
  }
}

TEST(PrintTest, WritesFewestParentheses) {
  const std::pair<const char*, const char*> rows[] = {
      {"((a)+(b))*(c)", "(a + b)*c"},
      {"(a*b)/c", "a*b/c"},
      {"a/(b*c)", "a/(b*c)"},
      {"(a**b)**c", "(a**b)**c"},
      {"a**(b**c)", "a**b**c"},
      {"(-a)**2", "(-a)**2"},
      {"-(a**2)", "-a**2"},
      {"a-(b-c)", "a - (b - c)"},
      {"a*(-b)", "a*-b"},
      {"not (a<b)", "not a < b"},
      {"(not a)<b", "(not a) < b"},
      {"(a<b)<c", "(a < b) < c"},
      {"f((a),(b+1),)", "f(a, b + 1)"},
      {"5.", "5.0"},
      {"1e400", "1e999"},
  };
  for (const auto& [text, printed] : rows) {
    Diagnostics diagnostics;
    EXPECT_EQ(PrintExpression(ParseExpression({"x", text}, diagnostics)),
              printed);
  }
}

}  // namespace
}  // namespace somafit
