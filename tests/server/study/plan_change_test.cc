#include "server/study/plan_change.h"

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/study/example_fit.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

std::string Changes(const FitPlan& before, const FitPlan& after) {
  Diagnostics diagnostics;
  CheckUnchanged(before, after, diagnostics);
  return diagnostics.Render();
}

TEST(CheckUnchangedTest, ComparesValuesNotTexts) {
  const FitPlan before = ExamplePlan("fit");
  EXPECT_EQ(Changes(before, before), "");
  FitPlan after = before;
  after.spec.parameters[0].bounds = "[1e-9*siemens, 1e-7*siemens]";
  after.metrics[0].options = {{"t_start", "0*ms"}};
  after.spec.optimizer.options = {{"population", "30"}};
  after.spec.stop.rounds = 99;
  after.spec.gate.enabled = true;
  EXPECT_EQ(Changes(before, after), "");
}

TEST(CheckUnchangedTest, NamesWhatChanged) {
  struct Case {
    const char* words;
    std::function<void(FitPlan&)> change;
  };
  for (const auto& [words, change] : std::vector<Case>{
           {"parameters.Cm.bounds",
            [](FitPlan& p) {
              p.space = ParameterSpace(
                  {p.space.parameters()[0], {"Cm", kNoDimension, 0.1, 3}});
            }},
           {"on a log scale",
            [](FitPlan& p) {
              p.space = ParameterSpace({p.space.parameters()[0],
                                        {"Cm", kNoDimension, 0.1, 2, true}});
            }},
           {"the metric of \"v\" was mse and would become rmse",
            [](FitPlan& p) { p.metrics[0].metric = "rmse"; }},
           {"with other options",
            [](FitPlan& p) {
              p.metrics[0].options = {{"t_start", "1*ms"}};
            }},
           {"metrics.v", [](FitPlan& p) { p.metrics[0].t_weights = {1}; }},
           {"other outputs", [](FitPlan& p) { p.outputs[0].name += "_other"; }},
           {"the optimizer was de and would become random",
            [](FitPlan& p) { p.spec.optimizer.name = "random"; }},
           {"optimizer",
            [](FitPlan& p) {
              p.spec.optimizer.options = {{"population", "50"}};
            }},
           {"n_samples", [](FitPlan& p) { ++p.spec.n_samples; }},
           {"penalty", [](FitPlan& p) { p.spec.penalty = "toll"; }},
       }) {
    FitPlan after = ExamplePlan("fit");
    change(after);
    const std::string text = Changes(ExamplePlan("fit"), after);
    EXPECT_THAT(text, HasSubstr(words));
    EXPECT_THAT(text, HasSubstr("restart"));
  }
}

}  // namespace
}  // namespace somafit
