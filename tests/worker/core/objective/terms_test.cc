#include "worker/core/objective/terms.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/units/unit.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Dataset Data() {
  const Dimension volt = FindUnit("volt")->dimension;
  Dataset data;
  data.outputs = {{"v", volt}, {"w", volt}, {kSpikes, kNoDimension}};
  Trace trace;
  trace.dt = 1e-3;
  trace.targets.resize(3, std::vector<double>(40, 0.5));
  for (size_t k = 0; k < 40; ++k) {
    trace.targets[0][k] = static_cast<double>(k);
    trace.targets[1][k] = static_cast<double>(k % 7);
    trace.targets[2][k] = k == 12 ? 1 : 0;
  }
  data.traces.push_back(trace);
  return data;
}

std::string Mistakes(std::vector<MetricSpec> specs) {
  Diagnostics diagnostics;
  MakeTerms(specs, Data(), 1e-3, diagnostics);
  return diagnostics.Render();
}

TEST(TermsTest, OutputsHaveTermsOfTheirOwn) {
  std::vector<MetricSpec> specs;
  Diagnostics diagnostics;
  const auto terms = MakeTerms(specs, Data(), 1e-3, diagnostics);
  ASSERT_FALSE(diagnostics.HasErrors()) << diagnostics.Render();
  ASSERT_EQ(terms.size(), 3u);
  EXPECT_EQ(specs[0].metric, "mse");
  EXPECT_EQ(specs[2].metric, "gamma_factor");
  EXPECT_THAT(terms[1].outputs, ElementsAre(1u));
}

// An output may be compared in several ways, and a group takes the place of
// what its outputs would have alone.
TEST(TermsTest, CombineOutputs) {
  std::vector<MetricSpec> specs = {
      {"together", "fc_rmse", {}, {}, {"v", "w"}},
      {"peak", "max", {{"normalization", "1*mV"}}, {}, {"v"}},
      {kSpikes, "", {}, {}},
      {"cost",
       "expression",
       {{"expression", "v**2"},
        {"unit", "volt**2"},
        {"normalization", "volt**2"}},
       {}}};
  Diagnostics diagnostics;
  const auto terms = MakeTerms(specs, Data(), 1e-3, diagnostics);
  ASSERT_FALSE(diagnostics.HasErrors()) << diagnostics.Render();
  ASSERT_EQ(terms.size(), 4u);
  EXPECT_EQ(terms[0].name, kSpikes);
  EXPECT_EQ(terms[1].name, "together");
  EXPECT_THAT(terms[1].outputs, ElementsAre(0u, 1u));
  EXPECT_THAT(terms[2].outputs, ElementsAre(0u));
  EXPECT_THAT(terms[3].outputs, ElementsAre(3u));  // behind the dataset's
  EXPECT_TRUE(terms[2].error_dimension.IsNone());
  EXPECT_TRUE(terms[3].error_dimension.IsNone());
  EXPECT_EQ(terms[3].output_dimension, FindUnit("volt")->dimension.Power(2));
  const auto expressions = ErrorExpressions(specs, diagnostics);
  ASSERT_EQ(expressions.size(), 1u);
  EXPECT_EQ(WithErrorExpressions({.equations = "v : volt",
                                  .method = "",
                                  .constants = {},
                                  .initial_values = {}},
                                 expressions)
                .equations,
            "v : volt\ncost = v**2 : volt**2");
}

TEST(TermsTest, MistakesNameTheTermAndTheRemedy) {
  struct Case {
    MetricSpec spec;
    const char* message;
  };
  for (const auto& [spec, message] : std::vector<Case>{
           {{"x", "mse", {}, {}}, "has no output \"x\""},
           {{"g", "mse", {}, {}, {"v", "x"}}, "has no output \"x\""},
           {{"g", "fc_rmse", {}, {}, {"v", "v"}}, "named twice"},
           {{"g", "mse", {}, {}, {"v", "w"}}, "compares a trace, not a group"},
           {{"g", "", {}, {}, {"v", "w"}}, "fc_correlation"},
           {{"g", "fc_correlation", {}, {}, {"v", "w"}}, "takes at least 3"},
           {{"g", "fc_rmse", {}, {}, {"v", kSpikes}}, "cannot be part"},
           {{"v", "mse", {}, {}, {"w"}}, "like another output"},
           {{"2g", "mse", {}, {}, {"w"}}, "cannot name a term"},
           {{"e", "expression", {}, {}}, "expression is missing"},
           {{"v", "expression", {{"expression", "w"}}, {}}, "like an output"},
           {{"e", "expression", {{"expression", "v"}}, {1.0}}, "t_weights"},
           {{"e", "expression", {{"expression", "v"}}, {}, {"v"}},
            "names what it compares by itself"},
           {{"e", "expression", {{"expression", "v"}, {"unit", "nounit"}}, {}},
            "nounit"},
       }) {
    EXPECT_THAT(Mistakes({spec}), HasSubstr(message)) << spec.output;
  }
  EXPECT_THAT(Mistakes({{"v", "", {}, {}}, {"v", "rmse", {}, {}}}),
              HasSubstr("output \"v\" has two metrics"));
}

// An expression is one line: what follows would be an equation.
TEST(TermsTest, ExpressionsCannotAddEquations) {
  for (const char* const text :
       {"v\ndv/dt = 1*volt/second : volt", "v : volt", "v # ", ""}) {
    Diagnostics diagnostics;
    EXPECT_TRUE(
        ErrorExpressions({{"e", "expression", {{"expression", text}}, {}}},
                         diagnostics)
            .empty());
    EXPECT_TRUE(diagnostics.HasErrors()) << text;
  }
}

}  // namespace
}  // namespace somafit
