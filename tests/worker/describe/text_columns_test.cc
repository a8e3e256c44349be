#include "worker/describe/text_columns.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(TextColumnsTest, AlignsColumnsWithoutBlanksAtTheEnds) {
  EXPECT_EQ(
      TextColumns({{"name", "n", "text"}, {"a", "12", ""}, {"b", "3"}}, {1}),
      "  name   n  text\n"
      "  a     12\n"
      "  b      3\n");
}

TEST(TextColumnsTest, OneLongCellDoesNotWidenTheOthers) {
  const std::string text =
      TextColumns({{std::string(100'000, 'x'), "a"}, {"y", "b"}});
  EXPECT_EQ(text.size(), 100'000 + 6 + 2 + 40 + 2 + 2);
}

TEST(TextColumnsTest, TextsOfUsersStayOnOneLineAndPrintable) {
  EXPECT_EQ(OneLine("  a\n\t b  \x1b[31m \xC2\xB5#c\n"), "a b ?[31m ?#c");
  EXPECT_EQ(OneLineOfCode("(a  # one\n + b)# two"), "(a + b)");
  EXPECT_EQ(OneLine(""), "");
}

}  // namespace
}  // namespace somafit
