// The rows of the language's table 7.8 (the fitting layer), by their ids.
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/lang/model.h"
#include "worker/sim/batch.h"
#include "worker/sim/experiment.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Signal = std::vector<double>;

// Traces of 1 ms a step.
std::shared_ptr<Dataset> Data(const std::vector<Signal>& inputs,
                              const std::vector<Signal>& targets) {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"I", kNoDimension}};
  dataset->outputs = {{"v", kNoDimension}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    Trace trace;
    trace.dt = 1e-3;
    trace.inputs = {inputs[i]};
    trace.targets = {i < targets.size() ? targets[i]
                                        : Signal(inputs[i].size(), 0.0)};
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

// [point], all traces one after the other.
std::vector<Recording> Record(const ModelSource& model,
                              const std::shared_ptr<Dataset>& data,
                              const std::vector<std::string>& parameters,
                              const std::vector<std::vector<double>>& points,
                              const std::string& variable = "v",
                              const RoundPlace& place = {}) {
  const auto experiment =
      MakeRecordingExperiment(model, data, 1e-3, parameters, {variable});
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  const auto native =
      RecordBatch(experiment->program, *data, points, 2, {}, KernelFor, place);
  EXPECT_TRUE(native.ok()) << native.status();
  const auto interpreted = RecordBatch(experiment->program, *data, points, 1,
                                       {}, InterpretingKernel, place);
  EXPECT_EQ(*native, *interpreted);
  return *native;
}

const std::vector<Signal> kPulses = {{1, 0, 0}, {0, 1, 0}};
const ModelSource kIntegrator = {
    "dv/dt = g*I/ms : 1\ng : 1 (constant)", "euler", {}, {}};

TEST(FittingLayerTest, F01_EveryPointRunsOnEveryTrace) {
  EXPECT_THAT(Record(kIntegrator, Data(kPulses, {}), {"g"}, {{1}, {2}}),
              ElementsAre(ElementsAre(0, 1, 1, 0, 0, 1),
                          ElementsAre(0, 2, 2, 0, 0, 2)));
}

TEST(FittingLayerTest, F02_ModelsAreCoupledToTheirTarget) {
  const ModelSource model = {
      "dv/dt = (v_target - v + I)/ms : 1", "euler", {}, {}};
  const auto data = Data({{0, 0, 0}, {0, 0, 0}}, {{5, 7, 9}, {1, 2, 3}});
  EXPECT_THAT(Record(model, data, {}, {{}}),
              ElementsAre(ElementsAre(0, 5, 7, 0, 1, 2)));
  EXPECT_THAT(Record(model, data, {}, {{}}, "v_target"),
              ElementsAre(ElementsAre(5, 7, 9, 1, 2, 3)));
  // A stage at a step's end sees the next target, as it does the next input.
  ModelSource rk4 = {"dv/dt = (v_target + 0*I)/ms : 1", "rk4", {}, {}};
  const auto ramp = Data({{0, 0, 0}}, {{0, 6, 12}});
  EXPECT_THAT(Record(rk4, ramp, {}, {{}}), ElementsAre(ElementsAre(0, 1, 8)));
}

TEST(FittingLayerTest, F04_InitialValuesDependOnParameters) {
  ModelSource model = kIntegrator;
  model.initial_values = {{"v", "2*g"}};
  EXPECT_THAT(Record(model, Data({{0, 0, 0}}, {}), {"g"}, {{3}}),
              ElementsAre(ElementsAre(6, 6, 6)));
}

TEST(FittingLayerTest, F05_F06_InputsAreUsedNotDefined) {
  const auto refusal = [](const std::string& equations) {
    const auto experiment = MakeExperiment({equations, "euler", {}, {}},
                                           Data(kPulses, {}), 1e-3, {"g"}, {});
    return std::string(experiment.status().message());
  };
  EXPECT_THAT(refusal("dv/dt = g*I/ms : 1\nI : 1\ng : 1"),
              HasSubstr("E_INPUT"));
  EXPECT_THAT(refusal("dv/dt = g/ms : 1\ng : 1"), HasSubstr("E_INPUT"));
  EXPECT_THAT(refusal("dv/dt = g*I/amp/ms : 1\ng : 1"), HasSubstr("E_DIM"));
}

TEST(FittingLayerTest, F07_InputsAreRecordedWithoutDelay) {
  EXPECT_THAT(Record(kIntegrator, Data(kPulses, {}), {"g"}, {{1}}, "I"),
              ElementsAre(ElementsAre(1, 0, 0, 0, 1, 0)));
}

TEST(FittingLayerTest, F08_IterationIsTheRoundsNumber) {
  const ModelSource model = {
      "dv/dt = 1/(1 + iteration)/ms + 0*I/ms : 1", "euler", {}, {}};
  const RoundPlace third = {.iteration = 3};
  EXPECT_THAT(Record(model, Data({{0, 0}}, {}), {}, {{}}, "v", third),
              ElementsAre(ElementsAre(0, 0.25)));
  // Whatever the order of parameters.
  const ModelSource two = {
      "v = a + 10*b + 100*iteration + 0*I : 1\na : 1\nb : 1", "", {}, {}};
  EXPECT_THAT(Record(two, Data({{0}}, {}), {"b", "a"}, {{1, 2}}, "v", third),
              ElementsAre(ElementsAre(312)));
  // And in initial values alone.
  const ModelSource start = {
      "dv/dt = I/ms : 1", "euler", {}, {{"v", "2*iteration"}}};
  EXPECT_THAT(Record(start, Data({{0, 0}}, {}), {}, {{}}, "v", third),
              ElementsAre(ElementsAre(6, 6)));
}

// i = sample * traces + trace, within the round; N counts all of it (5.1).
TEST(FittingLayerTest, LanesAreNumberedByTheRound) {
  const ModelSource model = {"v = i + 100*N + 0*I*g : 1\ng : 1", "", {}, {}};
  const RoundPlace place = {.first_in_round = 4, .n_in_round = 9};
  EXPECT_THAT(
      Record(model, Data({{0}, {0}}, {}), {"g"}, {{1}, {2}}, "v", place),
      ElementsAre(ElementsAre(1808, 1809), ElementsAre(1810, 1811)));
  EXPECT_THAT(Record(model, Data({{0}}, {}), {"g"}, {{1}, {2}}),
              ElementsAre(ElementsAre(200), ElementsAre(201)));
}

TEST(FittingLayerTest, F09_ErrorsComeBeforeTheUpdate) {
  const auto experiment =
      MakeExperiment({"dv/dt = 1/ms + 0*I/ms : 1", "euler", {}, {}},
                     Data({{0, 0, 0}}, {{1, 2, 3}}), 1e-3, {}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const auto evaluations =
      EvaluateBatch(*experiment, std::vector<std::vector<double>>{{}}, 1);
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  EXPECT_DOUBLE_EQ(evaluations->front().total_error, 1);
}

TEST(FittingLayerTest, F11_NamesOfTheLayerAreTaken) {
  for (const char* const name : {"iteration", "v_target", "n_traces"}) {
    Diagnostics diagnostics;
    EXPECT_FALSE(CompileModel(
        {"dv/dt = -v/ms : 1\n" + std::string(name) + " : 1", "", {}, {}}, {},
        {{"v", kNoDimension}}, diagnostics));
    EXPECT_THAT(diagnostics.Render(), HasSubstr("E_NAME")) << name;
  }
  Diagnostics diagnostics;
  EXPECT_TRUE(CompileModel({"dv/dt = -v/ms : 1\nS_v_g : 1", "", {}, {}}, {},
                           {{"v", kNoDimension}}, diagnostics));
}

}  // namespace
}  // namespace somafit
