#include "server/study/inference_plan.h"

#include <cmath>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/study/fit_run.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});
const Dimension kAmp({0, 0, 0, 1, 0, 0, 0});

Dataset Recordings() {
  Dataset dataset;
  dataset.inputs = {{"I", kAmp}};
  dataset.outputs = {{"v", kVolt}, {"spikes", kNoDimension}};
  for (int i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = 1e-4;
    trace.inputs = {std::vector<double>(20, 1e-10)};
    trace.targets = {std::vector<double>(20, -0.065 + 0.001 * i),
                     std::vector<double>(20, 0)};
    trace.targets[1][5] = i;
    dataset.traces.push_back(trace);
  }
  return dataset;
}

FitSpec Spec() {
  FitSpec spec;
  spec.model.equations =
      "dv/dt = (gl*(El - v) + I)/Cm : volt\n"
      "gl : siemens (constant)\nCm : farad (constant)\n"
      "El : volt (constant)\n";
  spec.model.threshold = "v > -40*mV";
  spec.model.reset = "v = El";
  spec.model.initial_values = {{"v", "-65*mV"}};
  spec.dataset = std::string(64, 'd');
  spec.dt = "0.1*ms";
  spec.parameters.resize(3);
  spec.parameters[0] = {.name = "Cm", .bounds = "[10*pF, 300*pF]"};
  spec.parameters[0].scale = "log";
  spec.parameters[1] = {.name = "gl", .bounds = ""};
  spec.parameters[1].prior = {"normal", {{"mean", "10*nS"}, {"sigma", "1*nS"}}};
  spec.parameters[2] = {.name = "El", .bounds = ""};
  spec.parameters[2].fixed = "-65*mV";
  spec.inference.emplace();
  spec.inference->features = {{"spikes", "spike_count", {}, ""},
                              {"v", "max", {}, ""},
                              {"v", "mean", {{"t_end", "1*ms"}}, ""}};
  return spec;
}

TEST(InferencePlanTest, FillsInDefaults) {
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(Spec(), "hash", Recordings(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  ASSERT_NE(plan->inference, nullptr);
  const InferencePlan& inference = *plan->inference;
  EXPECT_EQ(inference.algorithm, "tsnpe");
  EXPECT_EQ(inference.n_rounds, 1);
  EXPECT_EQ(plan->spec.inference->estimator.name, "maf");
  // In the model's order: gl, Cm, El.
  EXPECT_THAT(inference.free, ElementsAre(0, 1));
  EXPECT_EQ(inference.marginals[0].kind, "normal");
  EXPECT_EQ(inference.marginals[1].kind, "log_uniform");
  EXPECT_DOUBLE_EQ(inference.prior->mean()[0], 10e-9);
  EXPECT_DOUBLE_EQ(inference.prior->support()[1].upper, 300e-12);
  EXPECT_TRUE(plan->space.parameters()[2].fixed());
  EXPECT_NEAR(plan->space.parameters()[0].lower, 5e-9, 1e-15);
  // Output by output, trace by trace, feature by feature.
  EXPECT_THAT(inference.columns.names(),
              ElementsAre("v_max_trace_0", "v_mean_trace_0", "v_max_trace_1",
                          "v_mean_trace_1", "spikes_spike_count_trace_0",
                          "spikes_spike_count_trace_1"));
  EXPECT_THAT(inference.order, ElementsAre(2, 4, 3, 5, 0, 1));
  EXPECT_THAT(inference.observation,
              ElementsAre(-0.065, testing::DoubleEq(-0.065), -0.064,
                          testing::DoubleEq(-0.064), 0, 1));
  EXPECT_EQ(plan->outputs.size(), 3u);
  EXPECT_EQ(plan->outputs[1].name, "v_max");
  const auto points = DrawFromPrior(inference, plan->space, 1, 0, 1000);
  double mean = 0;
  for (const auto& point : points) {
    mean += point[0] / 1000;
    EXPECT_GE(point[1], 10e-12);
    EXPECT_LE(point[1], 300e-12);
    EXPECT_EQ(point[2], -0.065);
  }
  EXPECT_NEAR(mean, 10e-9, 4 * 1e-9 / std::sqrt(1000));
}

TEST(InferencePlanTest, BoundsTruncateAPrior) {
  FitSpec spec = Spec();
  spec.parameters[1].bounds = "[9*nS, 10.5*nS]";
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "hash", Recordings(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  EXPECT_DOUBLE_EQ(plan->inference->prior->support()[0].lower, 9e-9);
  EXPECT_DOUBLE_EQ(plan->inference->prior->support()[0].upper, 10.5e-9);
}

TEST(InferencePlanTest, TakesAnObservation) {
  FitSpec spec = Spec();
  spec.inference->observation = {1, 2, 3, 4, 5, 6};
  Dataset holes = Recordings();
  holes.traces[0].targets[0][3] = kNaN;
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "hash", holes, diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  EXPECT_THAT(plan->inference->observation, ElementsAre(1, 2, 3, 4, 5, 6));
}

// The same without spikes and features.
FitSpec RawSpec() {
  FitSpec spec = Spec();
  spec.inference->features.clear();
  return spec;
}
Dataset RawRecordings() {
  Dataset dataset = Recordings();
  dataset.outputs.resize(1);
  for (Trace& trace : dataset.traces) trace.targets.resize(1);
  return dataset;
}

TEST(InferencePlanTest, WithoutFeaturesXIsTheTraces) {
  Diagnostics diagnostics;
  const auto plan =
      ResolvePlan(RawSpec(), "hash", RawRecordings(), diagnostics);
  ASSERT_TRUE(plan) << diagnostics.Render();
  const InferencePlan& inference = *plan->inference;
  ASSERT_TRUE(inference.columns.raw());
  EXPECT_EQ(inference.columns.size(), 40u);
  EXPECT_EQ(inference.columns.NameOf(39), "v[1][19]");
  EXPECT_TRUE(inference.order.empty());
  EXPECT_TRUE(inference.features.empty());
  EXPECT_TRUE(plan->outputs.empty());
  ASSERT_EQ(inference.observation.size(), 40u);
  EXPECT_EQ(inference.observation[0], static_cast<double>(-0.065f));
  // What workers are told.
  ASSERT_EQ(plan->spec.inference->features.size(), 1u);
  EXPECT_EQ(plan->spec.inference->features[0].feature, "trace");
  EXPECT_EQ(plan->spec.inference->features[0].name, "v");
  EXPECT_EQ(FitRun::NewRecord(1, "f", *plan, {}).n_raw, 40u);
  const auto features = ResolvePlan(Spec(), "hash", Recordings(), diagnostics);
  EXPECT_EQ(FitRun::NewRecord(1, "f", *features, {}).n_raw, 0u);
}

TEST(InferencePlanTest, RawTracesHaveMistakesOfTheirOwn) {
  const auto mistakes = [](const FitSpec& spec, const Dataset& dataset) {
    Diagnostics diagnostics;
    EXPECT_FALSE(ResolvePlan(spec, "hash", dataset, diagnostics));
    return diagnostics.Render();
  };
  EXPECT_THAT(mistakes(RawSpec(), Recordings()),
              HasSubstr("spikes have no raw trace"));
  Dataset holes = RawRecordings();
  holes.traces[1].targets[0][7] = kNaN;
  EXPECT_THAT(mistakes(RawSpec(), holes),
              HasSubstr("the recording of trace 1 has no point at step 7"));
  FitSpec spec = RawSpec();
  spec.inference->observation = {1, 2};
  EXPECT_THAT(mistakes(spec, RawRecordings()),
              HasSubstr("there are 2 numbers, but x has 40 columns: v[0][0] to "
                        "v[1][19]"));
  spec = RawSpec();
  spec.n_samples = 100'000;
  spec.stop.rounds = 100;
  EXPECT_THAT(
      mistakes(spec, RawRecordings()),
      HasSubstr("have 400000000 numbers of raw traces, 40 each; at most "
                "268435456"));
  spec = RawSpec();
  spec.inference->estimator.input_shape = {2, 4, 5};
  spec.inference->estimator.embedding.resize(2);
  spec.inference->estimator.embedding[0].kind = "conv2d";
  spec.inference->estimator.embedding[1].kind = "conv1d";
  const std::string layers = mistakes(spec, RawRecordings());
  EXPECT_THAT(layers, HasSubstr("inference.estimator.embedding[1]"));
  EXPECT_THAT(layers, HasSubstr("layer 1 (1-d convolution) takes"));
  spec.inference->estimator.embedding.pop_back();
  Diagnostics diagnostics;
  EXPECT_TRUE(ResolvePlan(spec, "hash", RawRecordings(), diagnostics))
      << diagnostics.Render();
}

TEST(InferencePlanTest, ReportsEachMistakeUnderItsField) {
  struct Mistake {
    std::string field, words;
    std::function<void(FitSpec&, Dataset&)> make;
  };
  const std::vector<Mistake> mistakes = {
      {"metrics", "has no metrics",
       [](FitSpec& s, Dataset&) { s.metrics.resize(1); }},
      {"optimizer", "has no optimizer",
       [](FitSpec& s, Dataset&) { s.optimizer.name = "de"; }},
      {"penalty", "has no penalty",
       [](FitSpec& s, Dataset&) { s.penalty = "v"; }},
      {"gate", "has no gate",
       [](FitSpec& s, Dataset&) { s.gate.enabled = true; }},
      {"execution.abandon", "has no execution.abandon",
       [](FitSpec& s, Dataset&) { s.execution.abandon = true; }},
      {"stop", "after its rounds",
       [](FitSpec& s, Dataset&) { s.stop.target = "1"; }},
      {"stop.rounds", "1 to 1000",
       [](FitSpec& s, Dataset&) { s.stop.rounds = 0; }},
      {"inference.algorithm", "no algorithm \"abc\"",
       [](FitSpec& s, Dataset&) { s.inference->algorithm = "abc"; }},
      {"inference.estimator.name", "corrects mixtures only",
       [](FitSpec& s, Dataset&) { s.inference->algorithm = "npe_a"; }},
      {"inference.estimator.ensemble", "1 to 16",
       [](FitSpec& s, Dataset&) { s.inference->estimator.ensemble = 17; }},
      {"inference.training.learning_rate", "learning_rate is 2000",
       [](FitSpec& s, Dataset&) {
         s.inference->training.learning_rate = 2000;
       }},
      {"inference.training.validation_fraction", "is 1",
       [](FitSpec& s, Dataset&) {
         s.inference->training.validation_fraction = 1;
       }},
      {"inference.training.invalid", "invalid is \"drop\"",
       [](FitSpec& s, Dataset&) { s.inference->training.invalid = "drop"; }},
      {"inference.training.device", "no device \"tpu\"",
       [](FitSpec& s, Dataset&) { s.inference->training.device = "tpu"; }},
      {"inference.training.calibration_kernel", "no calibration_kernel \"cos\"",
       [](FitSpec& s, Dataset&) {
         s.inference->training.calibration_kernel = "cos";
       }},
      {"inference.training.calibration_kernel", "calibration_bandwidth is 0",
       [](FitSpec& s, Dataset&) {
         s.inference->training.calibration_kernel = "box";
       }},
      {"inference.estimator.embedding[0].kind", "cannot be `conv9d`",
       [](FitSpec& s, Dataset&) {
         s.inference->estimator.embedding.resize(1);
         s.inference->estimator.embedding[0].kind = "conv9d";
       }},
      {"inference.estimator.num_bins", "num_bins",
       [](FitSpec& s, Dataset&) {
         s.inference->estimator.options = {{"num_bins", "3"}};
       }},
      {"n_samples", "10 at least",
       [](FitSpec& s, Dataset&) { s.n_samples = 9; }},
      {"inference.algorithm", "trains one net",
       [](FitSpec& s, Dataset&) {
         s.inference->algorithm = "npe_a";
         s.inference->estimator.name = "mdn";
         s.inference->estimator.ensemble = 2;
       }},
      {"parameters.Cm.prior", "uniform or normal",
       [](FitSpec& s, Dataset&) {
         s.inference->algorithm = "npe_a";
         s.inference->estimator.name = "mdn";
       }},
      {"inference.observation", "there are 2 numbers",
       [](FitSpec& s, Dataset&) {
         s.inference->observation = {1, 2};
       }},
      {"inference.observation", "v_mean_trace_0 is nan",
       [](FitSpec& s, Dataset&) {
         s.inference->observation = {1, kNaN, 1, 1, 1, 1};
       }},
      {"parameters.gl", "has no prior",
       [](FitSpec& s, Dataset&) {
         s.parameters.erase(s.parameters.begin() + 1);
       }},
      {"parameters.gl.prior.name", "no prior \"cauchy\"",
       [](FitSpec& s, Dataset&) { s.parameters[1].prior.name = "cauchy"; }},
      {"parameters.gl.prior.sigma", "",
       [](FitSpec& s, Dataset&) {
         s.parameters[1].prior.options[1].text = "1*mV";
       }},
      {"parameters.gl.prior", "above 0",
       [](FitSpec& s, Dataset&) {
         s.parameters[1].prior.options[1].text = "-1*nS";
       }},
      {"parameters.El.prior", "is fixed and has a prior",
       [](FitSpec& s, Dataset&) { s.parameters[2].prior.name = "normal"; }},
      {"parameters.Cm.start", "not from starts",
       [](FitSpec& s, Dataset&) { s.parameters[0].start = {"20*pF"}; }},
      {"parameters.xx", "no parameter \"xx\"",
       [](FitSpec& s, Dataset&) {
         s.parameters.push_back(s.parameters[1]);
         s.parameters[3].name = "xx";
       }},
      {"parameters.gl", "given twice",
       [](FitSpec& s, Dataset&) { s.parameters.push_back(s.parameters[1]); }},
      {"parameters", "nothing is left to infer",
       [](FitSpec& s, Dataset&) {
         for (auto& each : s.parameters) {
           const std::string name = each.name;
           each = {.name = name, .bounds = ""};
           each.fixed = name == "Cm" ? "20*pF" : name == "gl" ? "1*nS" : "0*mV";
         }
       }},
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.field + ": " + mistake.words);
    FitSpec spec = Spec();
    Dataset dataset = Recordings();
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
  // What the recordings lack is said by the feature.
  FitSpec spec = Spec();
  Dataset dataset = Recordings();
  dataset.traces[1].targets[0][3] = kNaN;
  Diagnostics diagnostics;
  EXPECT_FALSE(ResolvePlan(spec, "hash", dataset, diagnostics));
  EXPECT_NE(diagnostics.Render().find("v_max"), std::string::npos)
      << diagnostics.Render();
}

}  // namespace
}  // namespace somafit
