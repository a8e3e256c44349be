#include "worker/core/objective/option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::HasSubstr;

const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});

const std::vector<OptionSpec>& Known() {
  static const auto* const known = new std::vector<OptionSpec>{
      {"F", "weight", OptionSpec::Kind::kNumber, 0.8, 0, 2},
      {"population", "members", OptionSpec::Kind::kInteger, 30, 4, 1000},
      {"t_start", "start", OptionSpec::Kind::kTime, 0, 0},
      {"normalization", "size", OptionSpec::Kind::kOutput, 1,
       std::numeric_limits<double>::min()}};
  return *known;
}

TEST(ReadOptionsTest, FillsInDefaults) {
  Diagnostics diagnostics;
  const OptionValues values = ReadOptions({}, Known(), "o", kVolt, diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(values, (OptionValues{{"F", 0.8},
                                  {"population", 30},
                                  {"t_start", 0},
                                  {"normalization", 1}}));
}

TEST(ReadOptionsTest, ReadsTextOfTheLanguage) {
  Diagnostics diagnostics;
  const OptionValues values = ReadOptions({{"F", "1/2"},
                                           {"population", "40"},
                                           {"t_start", "5*ms"},
                                           {"normalization", "2*mV"}},
                                          Known(), "o", kVolt, diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_EQ(values.at("F"), 0.5);
  EXPECT_EQ(values.at("population"), 40);
  EXPECT_DOUBLE_EQ(values.at("t_start"), 5e-3);
  EXPECT_DOUBLE_EQ(values.at("normalization"), 2e-3);
}

TEST(ReadOptionsTest, ReportsMistakesWhereTheyAre) {
  struct Case {
    NamedText given;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {{"popluation", "3"}, "Did you mean \"population\"?"},
           {{"nothing", "3"}, "F, population, t_start, normalization"},
           {{"F", "3"}, "above 2"},
           {{"F", "-0.1"}, "below 0"},
           {{"F", "inf"}, "not finite"},
           {{"F", "1*mV"}, "optimizer.F"},
           {{"F", ")"}, "optimizer.F"},
           {{"population", "4.5"}, "no integer"},
           {{"population", "3"}, "below 4"},
           {{"t_start", "5"}, "optimizer.t_start"},
           {{"t_start", "-1*ms"}, "below 0"},
           {{"normalization", "1*mA"}, "the output has volt"},
           {{"normalization", "0"}, "not above 0"},
       }) {
    Diagnostics diagnostics;
    ReadOptions({c.given}, Known(), "optimizer", kVolt, diagnostics);
    ASSERT_TRUE(diagnostics.HasErrors()) << c.given.name << c.given.text;
    EXPECT_THAT(diagnostics.Render(), HasSubstr(c.message));
  }
}

TEST(ReadOptionsTest, ReportsAllAtOnceAndDuplicates) {
  Diagnostics diagnostics;
  ReadOptions({{"F", "1"}, {"F", "1"}, {"x", "1"}}, Known(), "o", kVolt,
              diagnostics);
  EXPECT_EQ(diagnostics.all().size(), 2u);
  EXPECT_THAT(diagnostics.Render(), HasSubstr("twice"));
}

}  // namespace
}  // namespace somafit
