#include "client/lib/points_file.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Fit FitOfTwo() {
  v1::Fit fit;
  fit.set_name("fits/a");
  for (const char* name : {"gl", "Cm"}) {
    v1::Variable* variable = fit.add_parameters();
    variable->set_name(name);
    variable->set_si_unit(variable->name() == "gl" ? "siemens" : "farad");
  }
  return fit;
}

TEST(PointsFileTest, PutsColumnsInOrderAndInSi) {
  const absl::StatusOr<Points> points =
      ParsePoints("Cm [pF],gl\n200,1e-8\n100, 2.5e-9\n", "p.csv", FitOfTwo());
  ASSERT_TRUE(points.ok()) << points.status();
  EXPECT_THAT(points->parameters, ElementsAre("gl", "Cm"));
  EXPECT_THAT(points->values,
              ElementsAre(1e-8, 200 * 1e-12, 2.5e-9, 100 * 1e-12));
}

TEST(PointsFileTest, NamesThePlaceOfAMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "is empty; its first line must be: gl,Cm"},
      {"gl,Cm\n", "no point below the header"},
      {"gl\n1\n", "p.csv:1:1: the parameter \"Cm\" has no column"},
      {"gl,cm\n1,2\n",
       "p.csv:1:4: \"cm\" is not a parameter of fits/a, did "
       "you mean \"Cm\"?"},
      {"gl,gl,Cm\n1,2,3\n", "p.csv:1:4: \"gl\" is there twice"},
      {"gl,Cm\n1\n", "p.csv:2:1: this row has 1 cells"},
      {"gl,Cm\n1,x\n", "p.csv:2:3: \"x\" is not a finite number"},
      {"gl,Cm\n1,\n", "\"\" is not a finite number"},
      {"gl,Cm\n1,inf\n", "\"inf\" is not a finite number"},
      {"gl [mV],Cm\n1,2\n", "\"gl\" is in siemens, \"mV\" is not"},
      {"gl [nope],Cm\n1,2\n", "\"nope\" is not a unit"},
      {"gl [nS,Cm\n1,2\n", "no closing"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    const absl::StatusOr<Points> points =
        ParsePoints(text, "p.csv", FitOfTwo());
    EXPECT_EQ(points.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(points.status().message()), HasSubstr(message));
  }
}

TEST(PointsFileTest, SimulationsMayLackNumbers) {
  const auto table =
      ParseSimulations("peak,gl [nS],Cm,area\n1,2,3,\nnan,4,5,6\n", "s.csv",
                       FitOfTwo(), {"area", "peak"});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->theta.parameters, ElementsAre("gl", "Cm"));
  EXPECT_THAT(table->theta.values, ElementsAre(2 * 1e-9, 3, 4 * 1e-9, 5));
  EXPECT_THAT(table->x, ElementsAre(testing::IsNan(), 1, 6, testing::IsNan()));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gl,Cm,area\n1,2,3\n", "the feature \"peak\" has no column"},
      {"gl,Cm,area,pea\n",
       "is no parameter or feature of fits/a, did you mean "
       "\"peak\"?"},
      {"gl,Cm,area [mV],peak\n", "\"area\" has no unit"},
      {"gl,Cm,area,peak\n,1,2,3\n", "s.csv:2:1: \"\" is not a finite number"},
      {"gl,Cm,area,peak\n1,1,x,3\n", "\"x\" is not a number"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    EXPECT_THAT(std::string(ParseSimulations(text, "s.csv", FitOfTwo(),
                                             {"area", "peak"})
                                .status()
                                .message()),
                HasSubstr(message));
  }
}

}  // namespace
}  // namespace somafit
