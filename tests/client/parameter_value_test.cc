#include "client/lib/parameter_value.h"

#include <string>
#include <tuple>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<v1::Variable> Variables() {
  std::vector<v1::Variable> variables(2);
  variables[0].set_name("gl");
  variables[0].set_si_unit("siemens");
  variables[1].set_name("g_na");
  variables[1].set_si_unit("siemens");
  return variables;
}

TEST(ParameterValueTest, QuantitiesAndPlainNumbers) {
  EXPECT_DOUBLE_EQ(*ParseParameterValue("10*nS", Variables()[0], "a"), 1e-8);
  EXPECT_DOUBLE_EQ(*ParseParameterValue("2e-9", Variables()[0], "a"), 2e-9);
  for (const auto& [text, said] :
       {std::pair("10*mV", "\"gl\" is in siemens, \"10*mV\" is not"),
        std::pair("much", "a: \"much\" is no finite quantity"),
        std::pair("nan", "no finite quantity")}) {
    const auto value = ParseParameterValue(text, Variables()[0], "a");
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(value.status().message()), HasSubstr(said));
  }
}

TEST(ParameterValueTest, Assignments) {
  const auto found = ParseAssignment("g_na = 3*uS", Variables(), "--truth");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->first, 1);
  EXPECT_EQ(found->second, "3*uS");
  EXPECT_THAT(
      std::string(
          ParseAssignment("gna=1", Variables(), "--truth").status().message()),
      HasSubstr("there is no parameter \"gna\", did you mean "
                "\"g_na\"? They are: gl, g_na"));
  EXPECT_THAT(
      std::string(
          ParseAssignment("gl", Variables(), "--truth").status().message()),
      HasSubstr("--truth \"gl\" is no assignment; write gl=VALUE"));
}

TEST(ParameterValueTest, NumbersOfTextsAndFiles) {
  const ScratchFolder folder;
  EXPECT_THAT(*ReadNumbers("1.5,-2", 2, "--x"), ElementsAre(1.5, -2));
  EXPECT_THAT(*ReadNumbers(folder.Write("a.csv", "v_max,n\n1,2\n"), 2, "--x"),
              ElementsAre(1, 2));
  EXPECT_THAT(*ReadNumbers(folder.Write("b.txt", "1\n2\n3\n"), 3, "--x"),
              ElementsAre(1, 2, 3));
  const std::string bad = folder.Write("c.csv", "1\nx\n");
  for (const auto& [text, size, said] :
       {std::tuple<std::string, int, std::string>{
            "1,2", 3, "--x has 2 numbers, but there are 3 features"},
        {"1,nan", 2, "not finite"},
        {"nowhere.csv", 2, "neither numbers, like 1.5,2, nor a file"},
        {bad, 2, "something in it that is no number"}}) {
    EXPECT_THAT(std::string(ReadNumbers(text, size, "--x").status().message()),
                HasSubstr(said));
  }
}

}  // namespace
}  // namespace somafit
