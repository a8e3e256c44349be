#include "worker/core/base/number.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(NumberTest, ShortestTextReadsBackExactly) {
  for (const double value :
       {0.0, -0.0, 1.0, 0.1, 1.0 / 3, 1e-8, 123456789.123, 5e-324,
        1.7976931348623157e308, -2.5e-310, 1e22, 1e23}) {
    const auto back = ReadNumber(ShortestText(value));
    ASSERT_TRUE(back.has_value()) << value;
    EXPECT_EQ(*back, value);
    EXPECT_EQ(std::signbit(*back), std::signbit(value));
  }
  EXPECT_EQ(ShortestText(0.1), "0.1");
  EXPECT_EQ(ShortestText(std::nan("")), "nan");
  EXPECT_EQ(ShortestText(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(NumberTest, RoundsForPeople) {
  EXPECT_EQ(RoundedText(1.0 / 3, 3), "0.333");
  EXPECT_EQ(RoundedText(200, 3), "200");
  EXPECT_EQ(RoundedText(9.950799e-7, 4), "9.951e-07");
  EXPECT_EQ(RoundedText(std::nan(""), 4), "nan");
}

TEST(NumberTest, ReadsNumbersAndNothingElse) {
  EXPECT_EQ(ReadNumber(" 1.5e-3 "), 1.5e-3);
  EXPECT_EQ(ReadNumber("-2"), -2);
  EXPECT_TRUE(std::isnan(*ReadNumber("NaN")));
  EXPECT_TRUE(std::isinf(*ReadNumber("inf")));
  for (const char* text :
       {"", " ", "1,5", "1 2", "0x10", "nan(1)", "1e", "a"}) {
    EXPECT_FALSE(ReadNumber(text).has_value()) << text;
  }
}

TEST(NumberTest, FindsNearestWord) {
  const std::vector<std::string> words{"volt", "siemens", "g_na", "v", "tau_m"};
  EXPECT_EQ(NearestWord("volts", words), "volt");
  EXPECT_EQ(NearestWord("seimens", words), "siemens");
  EXPECT_EQ(NearestWord("gna", words), "g_na");
  EXPECT_EQ(NearestWord("V", words), "v");
  EXPECT_EQ(NearestWord("taum", words), "tau_m");
  EXPECT_EQ(NearestWord("x", words), "");
  EXPECT_EQ(NearestWord("metre", words), "");
  EXPECT_EQ(NearestWord("", words), "");
  EXPECT_EQ(NearestWord(std::string(100'000, 'v'), words), "");
}

}  // namespace
}  // namespace somafit
