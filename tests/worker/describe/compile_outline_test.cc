#include "worker/describe/compile_outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/describe/check_text.h"
#include "worker/describe/dump.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ExperimentOutline Leaky() {
  ExperimentOutline outline;
  outline.model.equations =
      "dv/dt = (g*(E - v) + I)/C : volt\ng : siemens (constant)\n";
  outline.model.constants = {{"E", "-65*mV"}, {"C", "200*pF"}};
  outline.inputs = {{"I", "nA"}};
  outline.outputs = {{"v", "mV"}};
  outline.dt = "0.1*ms";
  outline.parameters = {{"g", "[1*nS, 100*nS]"}};
  return outline;
}

template <typename Change>
std::string Found(const Change& change) {
  ExperimentOutline outline = Leaky();
  change(outline);
  Diagnostics found;
  const auto compiled = CompileOutline(outline, found);
  EXPECT_EQ(compiled.has_value(), !found.HasErrors());
  return found.Render();
}

TEST(CompileOutlineTest, CompilesWithTheMethodThatItNames) {
  Diagnostics found;
  const auto compiled = CompileOutline(Leaky(), found);
  ASSERT_TRUE(compiled.has_value()) << found.Render();
  EXPECT_TRUE(found.empty()) << found.Render();
  EXPECT_EQ(compiled->method, "exact");
  EXPECT_DOUBLE_EQ(compiled->dt, 1e-4);
  EXPECT_EQ(compiled->program.outputs, std::vector<std::string>{"v"});
  ASSERT_EQ(compiled->parameters.size(), 1u);
  EXPECT_DOUBLE_EQ(compiled->parameters[0]->upper, 1e-7);
}

TEST(CompileOutlineTest, ReportsTheMistakesOfAllParts) {
  const std::string text = Found([](ExperimentOutline& outline) {
    outline.model.equations += "w = E + 1*mA : volt\n";
    outline.model.method = "euler_exponential";
    outline.dt = "-1*ms";
    outline.metrics = {{"v", "msee", {}, {}}, {"u", "", {}, {}}};
  });
  EXPECT_THAT(text, HasSubstr("dt:1:1: error: dt is -0.001 in SI"));
  EXPECT_THAT(text, HasSubstr("model.equations:3:7: error: `E` has the unit "
                              "volt but `1*mA` has the unit amp"));
  EXPECT_THAT(text, HasSubstr("model.method: error"));
  EXPECT_THAT(text, HasSubstr("there is no metric `msee`"));
  EXPECT_THAT(text, HasSubstr("the dataset has no output \"u\""));
}

TEST(CompileOutlineTest, ReportsMistakesOfBounds) {
  const std::string text = Found([](ExperimentOutline& outline) {
    outline.model.equations += "k : 1\n";
    outline.parameters = {{"g", "[1*nS, 5*mV]"},
                          {"g", "[1*nS, 5*nS]"},
                          {"k", "[2, 1]"},
                          {"gg", "[1, 2]"}};
  });
  EXPECT_THAT(text, HasSubstr("parameters.g.bounds"));
  EXPECT_THAT(text, HasSubstr("\"g\" is bounded twice"));
  EXPECT_THAT(text, HasSubstr("parameters.k.bounds:1:1"));
  EXPECT_THAT(text, HasSubstr("the model has no parameter \"gg\""));
}

TEST(CompileOutlineTest, AnUnreadableUnitHidesNothingButItsConsequences) {
  const std::string text = Found([](ExperimentOutline& outline) {
    outline.inputs[0].unit = "nAA";
    outline.model.equations += "w = x : 1\n";
  });
  EXPECT_THAT(text, HasSubstr("data.inputs.I.unit:1:1: error: `nAA`"));
  EXPECT_THAT(text, HasSubstr("`x` is unknown"));
  EXPECT_THAT(text, Not(HasSubstr("E_DIM")));
  EXPECT_THAT(
      Found([](ExperimentOutline& outline) { outline.inputs[0].unit = ""; }),
      HasSubstr("the input `I` has no unit"));
  EXPECT_THAT(Found([](ExperimentOutline& outline) {
                outline.inputs[0].unit = "0*nA";
              }),
              HasSubstr("is not a unit"));
}

TEST(CompileOutlineTest, OutputsHaveTheModelsUnitIfTheyHaveNone) {
  EXPECT_EQ(Found([](ExperimentOutline& outline) {
              outline.outputs = {{"v", ""}};
            }),
            "");
  EXPECT_THAT(Found([](ExperimentOutline& outline) {
                outline.outputs = {{"vv", ""}, {"v", ""}, {"v", "mV"}};
              }),
              testing::AllOf(HasSubstr("the output `vv` is not defined"),
                             HasSubstr("the output `v` is there twice")));
}

TEST(CompileOutlineTest, WithoutDataMetricsNameTheOutputs) {
  ExperimentOutline outline = Leaky();
  outline.outputs.clear();
  outline.metrics = {{"v", "mse", {}, {}}};
  Diagnostics found;
  const auto compiled = CompileOutline(outline, found);
  ASSERT_TRUE(compiled.has_value()) << found.Render();
  EXPECT_EQ(compiled->program.outputs, std::vector<std::string>{"v"});
}

TEST(CompileOutlineTest, NothingIsAMistakeToo) {
  Diagnostics found;
  EXPECT_FALSE(CompileOutline({}, found).has_value());
  EXPECT_THAT(found.Render(), HasSubstr("the model has no equations"));
  EXPECT_THAT(found.Render(), HasSubstr("dt is missing"));
}

std::string Checked(const ExperimentOutline& outline) {
  Diagnostics found;
  const auto compiled = CompileOutline(outline, found);
  EXPECT_TRUE(compiled.has_value()) << found.Render();
  return compiled ? CheckText(*compiled, found) : "";
}

TEST(CheckTextTest, SaysTheShapeOfTheRecordingsOrWhyItIsUnknown) {
  ExperimentOutline outline = Leaky();
  EXPECT_THAT(Checked(outline), HasSubstr("none are named"));
  outline.trace_steps = {50};
  EXPECT_THAT(Checked(outline), HasSubstr("  1 of 50 steps, 5 ms\n"));
  outline.trace_steps = {50, 100};
  EXPECT_THAT(Checked(outline),
              HasSubstr("  2 of 50 to 100 steps, up to 10 ms each\n"));
  outline.trace_steps.clear();
  outline.recordings_problem = "no such file\x1b[31m";
  EXPECT_THAT(Checked(outline),
              testing::AllOf(HasSubstr("not read, see below"),
                             HasSubstr("no such file?[31m\n")));
}

TEST(CheckTextTest, SaysWhatIsMissing) {
  ExperimentOutline outline = Leaky();
  outline.parameters.clear();
  EXPECT_THAT(Checked(outline), HasSubstr("g          not given  a fit needs"));
}

TEST(DumpTest, MistakesAreAStatus) {
  ExperimentOutline outline = Leaky();
  outline.dt = "";
  Diagnostics warnings;
  const auto text = DumpText(outline, Dump::kProgram, {}, warnings);
  ASSERT_FALSE(text.ok());
  EXPECT_THAT(std::string(text.status().message()),
              HasSubstr("dt: error: dt is missing"));
  EXPECT_FALSE(ReadDump("tree").has_value());
}

}  // namespace
}  // namespace somafit
