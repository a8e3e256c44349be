#include "worker/core/lang/lexer.h"

#include <cmath>

#include <gtest/gtest.h>

namespace somafit {
namespace {

Token First(std::string_view text) { return LexToken(text, 0, text.size()); }

TEST(LexerTest, ReadsNumbers) {
  struct Row {
    std::string_view text;
    double value;
    bool integer;
  };
  const Row rows[] = {
      {"1e-3", 1e-3, false},
      {".5", 0.5, false},
      {"5.", 5, false},
      {"1E3", 1000, false},
      {"1_000", 1000, true},
      {"0x10", 16, true},
      {"0x_1f", 31, true},
      {"0o17", 15, true},
      {"0b101", 5, true},
      {"5.e3", 5000, false},
      {"1.e-3", 1e-3, false},
      {"000", 0, true},
      {"007.5", 7.5, false},
      {"1_0.2_5e1_0", 10.25e10, false},
      {"9007199254740992", 9007199254740992.0, true},
      {"9007199254740994", 9007199254740994.0, false},
      {"1e999", INFINITY, false},
      {"1e-999", 0, false},
  };
  for (const Row& row : rows) {
    const Token token = First(row.text);
    EXPECT_EQ(token.kind, Token::Kind::kNumber) << row.text;
    EXPECT_EQ(token.text, row.text);
    EXPECT_EQ(token.value, row.value) << row.text;
    EXPECT_EQ(token.integer, row.integer) << row.text;
  }
}

TEST(LexerTest, RefusesWhatIsNoNumber) {
  for (const char* text : {"007", "1j", "1__0", "1_", "10x", "1e", "0x", "0b2",
                           "1._5", "1_e5", "0xg"}) {
    const Token token = First(text);
    EXPECT_EQ(token.kind, Token::Kind::kBad) << text;
    EXPECT_FALSE(token.error.empty()) << text;
  }
}

TEST(LexerTest, SkipsCommentsAndNoticesNewLines) {
  const std::string_view text = "a # b\r\n  c";
  const Token a = First(text);
  EXPECT_TRUE(a.IsName("a"));
  EXPECT_TRUE(a.first_on_line);
  const Token c = LexToken(text, a.span.end, text.size());
  EXPECT_TRUE(c.IsName("c"));
  EXPECT_TRUE(c.first_on_line);
  EXPECT_EQ(LexToken(text, c.span.end, text.size()).kind, Token::Kind::kEnd);
}

TEST(LexerTest, TakesTheLongestOperator) {
  EXPECT_EQ(First("**2").text, "**");
  EXPECT_EQ(First("//x").text, "//");
  EXPECT_EQ(First("<=x").text, "<=");
  EXPECT_EQ(First(":= 3").text, ":=");
}

TEST(LexerTest, SaysWhatToWriteForLookalikes) {
  EXPECT_NE(First("\xC2\xB5").hint.find("`u`"), std::string::npos);
  EXPECT_NE(First("\xE2\x88\x92").hint.find("`-`"), std::string::npos);
  EXPECT_EQ(First("\xFF").kind, Token::Kind::kBad);
}

}  // namespace
}  // namespace somafit
