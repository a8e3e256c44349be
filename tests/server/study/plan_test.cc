#include "server/study/plan.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::HasSubstr;

const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});
const Dimension kAmp({0, 0, 0, 1, 0, 0, 0});

Dataset ExampleDataset() {
  Dataset dataset;
  dataset.inputs = {{"I", kAmp}};
  dataset.outputs = {{"v", kVolt}};
  for (int i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = 1e-4;
    trace.inputs = {std::vector<double>(20, 1e-10)};
    trace.targets = {std::vector<double>(20, -0.065)};
    dataset.traces.push_back(trace);
  }
  return dataset;
}

FitSpec ExampleSpec() {
  FitSpec spec;
  spec.model.equations =
      "dv/dt = (gl*(El - v) + I)/Cm : volt\n"
      "gl : siemens (constant)\n"
      "Cm : farad (constant)\n";
  spec.model.constants = {{"El", "-65*mV"}};
  spec.model.initial_values = {{"v", "El"}};
  spec.dataset = std::string(64, 'd');
  spec.dt = "0.1*ms";
  spec.parameters = {{"Cm", "[10*pF, 300*pF]"}, {"gl", "[1*nS, 100*nS]"}};
  spec.stop.rounds = 3;
  return spec;
}

TEST(ResolvePlanTest, FillsInDefaults) {
  Diagnostics diagnostics;
  FitSpec spec = ExampleSpec();
  spec.stop.target = "1e-6*volt**2";
  spec.stop.time = "10*ms";
  const auto plan = ResolvePlan(spec, "hash", ExampleDataset(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  EXPECT_EQ(plan->model_hash, "hash");
  EXPECT_EQ(plan->dt, 1e-4);
  EXPECT_EQ(plan->n_traces, 2u);
  ASSERT_EQ(plan->space.size(), 2u);
  EXPECT_EQ(plan->space.parameters()[0].name, "gl");
  EXPECT_EQ(plan->space.parameters()[0].lower, 1e-9);
  EXPECT_EQ(plan->space.parameters()[1].upper, 300e-12);
  ASSERT_EQ(plan->metrics.size(), 1u);
  EXPECT_EQ(plan->metrics[0].output, "v");
  EXPECT_EQ(plan->metrics[0].metric, "mse");
  EXPECT_EQ(plan->spec.optimizer.name, "de");
  EXPECT_EQ(plan->spec.label, "fit");
  EXPECT_TRUE(plan->error_dimension == kVolt.Power(2));
  EXPECT_EQ(plan->stop.rounds, 3);
  EXPECT_EQ(plan->stop.target, 1e-6);
  EXPECT_EQ(plan->stop.elapsed_s, 0.01);
  const auto optimizer = MakeOptimizer(*plan);
  RandomStream random(1, StreamPurpose::kOptimizer, 0, 0);
  EXPECT_EQ(optimizer->Ask(3, random).size(), 3u);
}

TEST(ResolvePlanTest, TakesPlainTargetsAndUnitsOutOfTheError) {
  FitSpec spec = ExampleSpec();
  spec.stop.target = "0.5";
  spec.metrics = {{"v", "mse", {{"normalization", "10*mV"}}, {}}};
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "hash", ExampleDataset(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  EXPECT_TRUE(plan->error_dimension.IsNone());
  EXPECT_EQ(plan->stop.target, 0.5);
}

struct Mistake {
  std::string field;
  std::string words;  // in the message
  std::function<void(FitSpec&, Dataset&)> make;
};

TEST(ResolvePlanTest, ReportsEachMistakeUnderItsField) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Mistake> mistakes = {
      {"name", "cannot name a fit",
       [](FitSpec& s, Dataset&) { s.name = "Bad"; }},
      {"label", "label", [](FitSpec& s, Dataset&) { s.label = "no way"; }},
      {"model.equations", "",
       [](FitSpec& s, Dataset&) { s.model.equations += "x = : 1\n"; }},
      {"model.constants.El", "",
       [](FitSpec& s, Dataset&) { s.model.constants[0].text = "1*"; }},
      {"dt", "missing", [](FitSpec& s, Dataset&) { s.dt = ""; }},
      {"dt", "", [](FitSpec& s, Dataset&) { s.dt = "1*mV"; }},
      {"dt", "above 0", [](FitSpec& s, Dataset&) { s.dt = "-1*ms"; }},
      {"dt", "trace 1 was sampled every 2e-04 s",
       [](FitSpec&, Dataset& d) { d.traces[1].dt = 2e-4; }},
      {"parameters.gl.bounds", "parameter \"gl\" has no bounds",
       [](FitSpec& s, Dataset&) { s.parameters.pop_back(); }},
      {"parameters.gL.bounds", "no parameter \"gL\"",
       [](FitSpec& s, Dataset&) {
         s.parameters.push_back({"gL", "[1*nS, 2*nS]"});
       }},
      {"parameters.gl.bounds", "twice",
       [](FitSpec& s, Dataset&) { s.parameters.push_back(s.parameters[1]); }},
      {"parameters.gl.bounds", "",
       [](FitSpec& s, Dataset&) { s.parameters[1].bounds = "[2*nS, 1*nS]"; }},
      {"parameters.gl.bounds", "",
       [](FitSpec& s, Dataset&) { s.parameters[1].bounds = "[1*mV, 2*mV]"; }},
      {"metrics.v.metric", "no metric `best`",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"v", "best", {}, {}}};
       }},
      {"metrics.w.output", "no output \"w\"",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"w", "", {}, {}}};
       }},
      {"metrics.v.output", "two metrics",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"v", "", {}, {}}, {"v", "", {}, {}}};
       }},
      {"metrics.v.t_start", "",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"v", "", {{"t_start", "1*mV"}}, {}}};
       }},
      {"metrics.v", "beyond",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"v", "", {{"t_start", "1*second"}}, {}}};
       }},
      {"metrics.v.t_weights", "t_weights has 3",
       [](FitSpec& s, Dataset&) {
         s.metrics = {{"v", "", {}, {1, 1, 1}}};
       }},
      {"metrics.v.t_weights", "both",
       [](FitSpec& s, Dataset&) {
         s.metrics = {
             {"v", "", {{"t_start", "0.5*ms"}}, std::vector<double>(20, 1)}};
       }},
      {"metrics.v", "no point of output \"v\"",
       [nan](FitSpec&, Dataset& d) {
         for (Trace& t : d.traces) t.targets[0].assign(20, nan);
       }},
      {"optimizer.name", "no optimizer \"magic\"",
       [](FitSpec& s, Dataset&) { s.optimizer.name = "magic"; }},
      {"optimizer.options.Q", "",
       [](FitSpec& s, Dataset&) {
         s.optimizer.options = {{"Q", "1"}};
       }},
      {"stop", "nothing would end the fit",
       [](FitSpec& s, Dataset&) { s.stop = {}; }},
      {"stop.rounds", "-1", [](FitSpec& s, Dataset&) { s.stop.rounds = -1; }},
      {"stop.evaluations", "at least 1",
       [](FitSpec& s, Dataset&) { s.stop.evaluations = 0; }},
      {"stop.target", "the total error is in",
       [](FitSpec& s, Dataset&) { s.stop.target = "1*mV"; }},
      {"stop.time", "", [](FitSpec& s, Dataset&) { s.stop.time = "1*mV"; }},
      {"n_samples", "n_samples is 0",
       [](FitSpec& s, Dataset&) { s.n_samples = 0; }},
      {"n_samples", "n_samples is 100001",
       [](FitSpec& s, Dataset&) { s.n_samples = 100'001; }},
      {"gate.timeout_seconds", "above 0",
       [](FitSpec& s, Dataset&) { s.gate.timeout_s = -1; }},
      {"execution.max_attempts", "1 to",
       [](FitSpec& s, Dataset&) { s.execution.max_attempts = 0; }},
      {"execution.abandon", "known to grow",
       [](FitSpec& s, Dataset&) {
         s.execution.abandon = true;
         s.metrics.resize(1);
         s.metrics[0].output = "v";
         s.metrics[0].metric = "correlation";
       }},
      {"execution.abandon", "penalty is known",
       [](FitSpec& s, Dataset&) {
         s.execution.abandon = true;
         s.penalty = "v**2";
       }},
      {"execution.task_timeout_seconds", "above 0",
       [](FitSpec& s, Dataset&) { s.execution.task_timeout_s = 0; }},
      {"dataset", "no output", [](FitSpec&, Dataset& d) { d.outputs.clear(); }},
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.field + ": " + mistake.words);
    FitSpec spec = ExampleSpec();
    Dataset dataset = ExampleDataset();
    mistake.make(spec, dataset);
    Diagnostics diagnostics;
    EXPECT_FALSE(ResolvePlan(spec, "hash", dataset, diagnostics));
    bool found = false;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      found = found ||
              (diagnostic.field == mistake.field &&
               diagnostic.message.find(mistake.words) != std::string::npos);
    }
    EXPECT_TRUE(found) << diagnostics.Render();
  }
}

TEST(ResolvePlanTest, ReportsManyMistakesAtOnce) {
  FitSpec spec = ExampleSpec();
  spec.name = "Bad";
  spec.parameters.clear();
  spec.n_samples = 0;
  spec.optimizer.name = "magic";
  Diagnostics diagnostics;
  EXPECT_FALSE(ResolvePlan(spec, "hash", ExampleDataset(), diagnostics));
  EXPECT_GE(diagnostics.all().size(), 5u) << diagnostics.Render();
}

TEST(ResolvePlanTest, RefusesToAddErrorsOfDifferentUnits) {
  FitSpec spec = ExampleSpec();
  spec.model.equations += "w = v*gl : amp\n";
  Dataset dataset = ExampleDataset();
  dataset.outputs.push_back({"w", kAmp});
  for (Trace& trace : dataset.traces) {
    trace.targets.push_back(std::vector<double>(20, 0.0));
  }
  Diagnostics diagnostics;
  EXPECT_FALSE(ResolvePlan(spec, "hash", dataset, diagnostics));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("the total error would add"));
  spec.metrics = {{"v", "", {{"normalization", "1*mV"}}, {}},
                  {"w", "", {{"normalization", "1*nA"}}, {}}};
  Diagnostics fixed;
  EXPECT_TRUE(ResolvePlan(spec, "hash", dataset, fixed)) << fixed.Render();
}

TEST(ResolvePlanTest, ReadsScalesStartsAndFixedValues) {
  FitSpec spec = ExampleSpec();
  ParameterSpec& gl =
      *std::find_if(spec.parameters.begin(), spec.parameters.end(),
                    [](const ParameterSpec& p) { return p.name == "gl"; });
  gl.scale = "log";
  gl.start = {"5*nS", "2e-9*siemens"};
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "hash", ExampleDataset(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  EXPECT_TRUE(plan->space.parameters()[0].log);
  ASSERT_EQ(plan->starts.size(), 2u);
  EXPECT_EQ(plan->starts[1].sample, 1);
  EXPECT_DOUBLE_EQ(plan->starts[1].si, 2e-9);
  gl = ParameterSpec{.name = "gl", .bounds = ""};
  gl.fixed = "7*nS";
  const auto fixed = ResolvePlan(spec, "hash", ExampleDataset(), diagnostics);
  ASSERT_TRUE(fixed) << diagnostics.Render();
  EXPECT_EQ(fixed->space.free(), (std::vector<size_t>{1}));
  EXPECT_DOUBLE_EQ(fixed->space.parameters()[0].lower, 7e-9);
  const auto optimizer = MakeOptimizer(*fixed);
  RandomStream random(1, StreamPurpose::kOptimizer, 0, 0);
  EXPECT_EQ(optimizer->Ask(3, random)[0].size(), 1u);
}

TEST(ResolvePlanTest, RefusesParametersThatMakeNoSense) {
  struct Case {
    const char* words;
    std::function<void(ParameterSpec&)> change;
  };
  for (const auto& [words, change] : std::vector<Case>{
           {"is no scale", [](ParameterSpec& p) { p.scale = "cubic"; }},
           {"has no logarithm",
            [](ParameterSpec& p) {
              p.scale = "log";
              p.bounds = "[0*nS, 5*nS]";
            }},
           {"not within its bounds",
            [](ParameterSpec& p) { p.start = {"1*siemens"}; }},
           {"parameters.gl.start",
            [](ParameterSpec& p) { p.start = {"1*mV"}; }},
           {"is fixed and has bounds",
            [](ParameterSpec& p) { p.fixed = "1*nS"; }},
           {"parameters.gl.fixed",
            [](ParameterSpec& p) {
              p.bounds = "";
              p.fixed = "1*mV";
            }},
           {"is not finite",
            [](ParameterSpec& p) {
              p.bounds = "";
              p.fixed = "inf*siemens";
            }},
       }) {
    FitSpec spec = ExampleSpec();
    for (ParameterSpec& each : spec.parameters) {
      if (each.name == "gl") change(each);
    }
    Diagnostics diagnostics;
    EXPECT_FALSE(ResolvePlan(spec, "hash", ExampleDataset(), diagnostics));
    EXPECT_THAT(diagnostics.Render(), HasSubstr(words));
  }
  FitSpec spec = ExampleSpec();
  for (ParameterSpec& each : spec.parameters) {
    each.fixed = each.name == "gl" ? "1*nS" : "200*pF";
    each.bounds = "";
  }
  Diagnostics diagnostics;
  EXPECT_FALSE(ResolvePlan(spec, "hash", ExampleDataset(), diagnostics));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("nothing is left to fit"));
}

TEST(ResolvePlanTest, ChecksThePenaltyAndErrorsInTheModelsLanguage) {
  FitSpec spec = ExampleSpec();
  spec.model.equations += "toll = v*v : volt**2\nother = v : volt\n";
  spec.penalty = "toll";
  spec.metrics = {{"cost",
                   "expression",
                   {{"expression", "(v - v_target)**2"}, {"unit", "volt**2"}},
                   {}}};
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "hash", ExampleDataset(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  // It names v's target, so v has no term of its own.
  ASSERT_EQ(plan->outputs.size(), 1u);
  EXPECT_EQ(plan->outputs[0].name, "cost");
  for (const auto& [penalty, words] :
       {std::pair{"tol", "toll"},
        {"other", "the penalty \"other\" is in volt"}}) {
    FitSpec wrong = spec;
    wrong.penalty = penalty;
    Diagnostics found;
    EXPECT_FALSE(ResolvePlan(wrong, "hash", ExampleDataset(), found));
    EXPECT_THAT(found.Render(), HasSubstr(words));
    EXPECT_EQ(found.all()[0].field, "penalty");
  }
  FitSpec wrong = spec;
  wrong.metrics[0].options[0].text = "v - 1*amp";
  Diagnostics found;
  EXPECT_FALSE(ResolvePlan(wrong, "hash", ExampleDataset(), found));
  EXPECT_THAT(found.Render(), HasSubstr("v - 1*amp"));
}

TEST(ResolvePlanTest, KeepsRoundsWithinAnEvent) {
  EXPECT_TRUE(RoundFitsIntoEvent(100'000, 4, 1));
  EXPECT_FALSE(RoundFitsIntoEvent(100'000, 256, 1));
}

}  // namespace
}  // namespace somafit
