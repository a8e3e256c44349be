#include "worker/core/objective/feature_terms.h"

#include <cmath>
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
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDt = 1e-3;

// v[k] = k, w[k] = 100 k, spikes at steps 5, 9 and 15 of 40; of the second
// trace, which is longer, all is 10 higher, and there is one spike.
Dataset Data() {
  const Dimension volt = FindUnit("volt")->dimension;
  Dataset data;
  data.outputs = {{"v", volt}, {kSpikes, kNoDimension}, {"w", volt}};
  for (size_t i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = kDt;
    trace.targets.resize(3, std::vector<double>(40 + 10 * i));
    for (size_t k = 0; k < trace.targets[0].size(); ++k) {
      trace.targets[0][k] = static_cast<double>(k + 10 * i);
      trace.targets[1][k] = k == 5 || (i == 0 && (k == 9 || k == 15)) ? 1 : 0;
      trace.targets[2][k] = 100 * static_cast<double>(k + 10 * i);
    }
    data.traces.push_back(trace);
  }
  return data;
}

std::vector<FeatureTerm> Make(std::vector<FeatureSpec> specs,
                              const Dataset& data) {
  Diagnostics diagnostics;
  auto terms = MakeFeatures(specs, data, kDt, diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  return terms;
}

std::string Mistakes(std::vector<FeatureSpec> specs,
                     const Dataset& data = Data()) {
  Diagnostics diagnostics;
  MakeFeatures(specs, data, kDt, diagnostics);
  return diagnostics.Render();
}

FeatureSpec Spec(const std::string& output, const std::string& feature,
                 std::vector<NamedText> options = {},
                 const std::string& name = "") {
  return {output, feature, std::move(options), name};
}

TEST(FeatureTermsTest, HaveNamesAndUnits) {
  std::vector<FeatureSpec> specs = {
      Spec("v", "max"),
      Spec("v", "max", {{"t_start", "5*ms"}}),
      Spec("v", "max", {{"t_end", "20*ms"}}),
      Spec("w", "std", {}, "v_max_2"),
      Spec("v", "kurtosis", {{"pearson", "true"}}),
      Spec(kSpikes, "spike_count"),
      Spec(kSpikes, "spike_rate"),
      Spec(kSpikes, "isi_mean", {{"empty", "0"}}, "interval"),
      Spec("w", "quantile", {{"q", "0.25"}})};
  Diagnostics diagnostics;
  const auto terms = MakeFeatures(specs, Data(), kDt, diagnostics);
  ASSERT_TRUE(diagnostics.empty()) << diagnostics.Render();
  std::vector<std::string> names, units;
  for (size_t i = 0; i < terms.size(); ++i) {
    names.push_back(terms[i].name);
    units.push_back(terms[i].unit);
    EXPECT_EQ(specs[i].name, terms[i].name);
  }
  EXPECT_THAT(
      names, ElementsAre("v_max", "v_max_3", "v_max_4", "v_max_2", "v_kurtosis",
                         "spikes_spike_count", "spikes_spike_rate", "interval",
                         "w_quantile"));
  EXPECT_THAT(units, ElementsAre("volt", "volt", "volt", "volt", "1", "1",
                                 "hertz", "second", "volt"));
  EXPECT_EQ(terms[3].output, 2u);
  EXPECT_EQ(terms[6].dimension, kNoDimension / kTimeDimension);
  // Again, with what has been filled in.
  const std::vector<FeatureSpec> named = specs;
  MakeFeatures(specs, Data(), kDt, diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_EQ(specs, named);
}

TEST(FeatureTermsTest, MistakesNameTheFeatureAndTheRemedy) {
  struct Case {
    FeatureSpec spec;
    const char* message;
  };
  for (const auto& [spec, message] : std::vector<Case>{
           {Spec("vv", "max"),
            "inference.features.vv_max.output: error: the "
            "dataset has no output \"vv\""},
           {Spec("vv", "max"), "its outputs are: v, spikes, w"},
           {Spec("spike", "max"), "did you mean \"spikes\"?"},
           {Spec("v", "maxx"), "inference.features.v_maxx.feature"},
           {Spec("v", "maxx"), "did you mean \"max\"?"},
           {Spec("v", ""), "not said which feature"},
           {Spec("v", "isi_cv"), "is of spikes, not of a trace"},
           {Spec(kSpikes, "mean"), "is of a trace, not of spikes"},
           {Spec("v", "max", {}, "2nd"), "\"2nd\" cannot name a feature"},
           {Spec("v", "max", {}, "a b"), "\"a b\" cannot name a feature"},
           {Spec("v", "max", {}, std::string(61, 'a')), "cannot name"},
           {Spec("v", "max", {{"q", "1"}}, "top"),
            "inference.features.top.q: error: unknown option"},
           {Spec("v", "max", {{"t_start", "5*mV"}}),
            "inference.features.v_max.t_start"},
           {Spec("v", "max", {{"t_start", "-5*ms"}}), "is below 0"},
           {Spec("v", "max", {{"t_end", "inf*second"}}), "is not finite"},
           {Spec("v", "quantile", {{"q", "1.5"}}), "is above 1"},
           {Spec("v", "kurtosis", {{"pearson", "0.5"}}), "is no integer"},
           {Spec("v", "kurtosis", {{"pearson", "yes"}}), "neither true nor"},
           {Spec(kSpikes, "isi_mean", {{"empty", "1*mV"}}), "empty"},
           {Spec("v", "max", {{"t_start", "45*ms"}}),
            "inference.features.v_max: error: trace 0: t_start = 0.045 second "
            "lies beyond the trace"},
           {Spec("v", "max", {{"t_end", "45*ms"}}), "trace 0: t_end = 0.045"},
           {Spec("v", "max", {{"t_start", "9*ms"}, {"t_end", "9*ms"}}),
            "there is no step"},
       }) {
    EXPECT_THAT(Mistakes({spec}), HasSubstr(message));
  }
  EXPECT_THAT(Mistakes({}), HasSubstr("inference.features: error: there is no "
                                      "feature"));
  EXPECT_THAT(Mistakes({Spec("v", "max"), Spec("v", "max")}),
              HasSubstr("inference.features.v_max_2: error: is the same as "
                        "\"v_max\""));
  EXPECT_THAT(Mistakes({Spec("v", "max"),
                        Spec("v", "max", {{"t_start", "0*second"}}, "a")}),
              HasSubstr("is the same as"));
  EXPECT_THAT(Mistakes({Spec("v", "max", {}, "a"), Spec("v", "min", {}, "a")}),
              HasSubstr("two features are called \"a\""));
  // All at once, and no word of a name that nobody gave.
  const std::string both = Mistakes({Spec("x y", "max"), Spec("v", "maxx")});
  EXPECT_THAT(both, HasSubstr("has no output \"x y\""));
  EXPECT_THAT(both, HasSubstr("there is no feature \"maxx\""));
  EXPECT_THAT(both, Not(HasSubstr("cannot name")));
}

TEST(FeatureTermsTest, HaveLimits) {
  Dataset data = Data();
  EXPECT_THAT(
      Mistakes(std::vector<FeatureSpec>(50'001, Spec("v", "max")), data),
      HasSubstr("at most 100000 features times traces"));
  for (Trace& trace : data.traces) {
    for (auto& target : trace.targets) target.resize(1'000'001, 0.0);
  }
  EXPECT_EQ(Mistakes({Spec("v", "max")}, data), "");
  EXPECT_THAT(Mistakes({Spec("v", "median")}, data),
              HasSubstr("keeps every step, at most 1000000"));
  const std::vector<NamedText> window = {{"t_end", "900*second"}};
  EXPECT_THAT(
      Mistakes({Spec("v", "median", window), Spec("w", "median", window),
                Spec(kSpikes, "isi_cv", window)},
               data),
      HasSubstr("inference.features.spikes_isi_cv: error: with this "
                "feature, more than 2000000 steps are kept"));
  EXPECT_THAT(Mistakes(std::vector<FeatureSpec>(251, Spec("v", "max")), data),
              HasSubstr("500000000 features times steps"));
}

TEST(FeatureTermsTest, RefuseATrainThatIsNone) {
  Dataset data = Data();
  data.traces[1].targets[1][3] = 0.5;
  EXPECT_THAT(Mistakes({Spec(kSpikes, "spike_count")}, data),
              HasSubstr("trace 1: step 3 has 0.5 spikes"));
  EXPECT_EQ(Mistakes({Spec("v", "max")}, data), "");
}

TEST(FeatureTermsTest, OutlinesHaveNoWindows) {
  Dataset outline = Data();
  outline.traces.clear();
  EXPECT_EQ(Mistakes({Spec("v", "max", {{"t_start", "9*second"}})}, outline),
            "");
  std::vector<FeatureSpec> specs = {Spec("v", "maxx")};
  Diagnostics diagnostics;
  EXPECT_TRUE(MakeFeatures(specs, Data(), std::nullopt, diagnostics).empty());
  EXPECT_THAT(diagnostics.Render(), HasSubstr("did you mean"));
}

// Output by output, trace by trace, feature by feature.
TEST(FeatureColumnsTest, AreInTheOrderOfX) {
  const Dataset data = Data();
  const auto terms =
      Make({Spec("w", "min"), Spec("v", "max"),
            Spec(kSpikes, "isi_mean", {{"empty", "0"}}),
            Spec("v", "mean", {{"t_start", "10*ms"}, {"t_end", "13*ms"}}, "m")},
           data);
  const auto columns = FeatureColumns(terms, data);
  std::vector<std::string> names, units;
  for (const FeatureColumn& column : columns) {
    names.push_back(column.name);
    units.push_back(column.unit);
  }
  EXPECT_THAT(names, ElementsAre("v_max_trace_0", "m_trace_0", "v_max_trace_1",
                                 "m_trace_1", "spikes_isi_mean_trace_0",
                                 "spikes_isi_mean_trace_1", "w_min_trace_0",
                                 "w_min_trace_1"));
  EXPECT_THAT(units, ElementsAre("volt", "volt", "volt", "volt", "second",
                                 "second", "volt", "volt"));
  EXPECT_THAT(
      InOrderOfX(columns, 2, std::vector<double>{0, 1, 10, 11, 20, 21, 30, 31}),
      ElementsAre(10, 30, 11, 31, 20, 21, 0, 1));
  EXPECT_THAT(ObserveFeatures(terms, data),
              ElementsAre(39, 11, 59, 21, 5e-3, 0, 0, 1000));
}

TEST(ObserveFeaturesTest, WhatIsMissingHasNoNumber) {
  Dataset data = Data();
  data.traces[1].targets[0][30] = kNaN;
  data.traces[0].targets[1][2] = kNaN;
  const auto terms = Make(
      {Spec("v", "max"), Spec("v", "median"),
       Spec("v", "max", {{"t_end", "30*ms"}}), Spec(kSpikes, "spike_count"),
       Spec(kSpikes, "isi_mean"),
       Spec(kSpikes, "isi_mean", {{"empty", "1*ms"}, {"t_start", "3*ms"}})},
      data);
  const auto x = ObserveFeatures(terms, data);
  const auto columns = FeatureColumns(terms, data);
  std::vector<std::string> without;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) without.push_back(columns[i].name);
  }
  EXPECT_THAT(without, ElementsAre("v_max_trace_1", "v_median_trace_1",
                                   "spikes_spike_count_trace_0",
                                   "spikes_isi_mean_trace_0",
                                   "spikes_isi_mean_trace_1"));
  Diagnostics diagnostics;
  CheckObservation(terms, data, x, diagnostics);
  const std::string text = diagnostics.Render();
  EXPECT_THAT(text, HasSubstr("inference.features.v_max: error: the recording "
                              "of trace 1 has no point at step 30"));
  EXPECT_THAT(text, HasSubstr("inference.observation"));
  EXPECT_THAT(text, HasSubstr("spike_count: error: the recording of trace 0 "
                              "has no point at step 2"));
  EXPECT_EQ(diagnostics.all().size(), 4u) << text;  // one a feature
  data.traces[0].targets[1][2] = 0;
  Diagnostics others;
  CheckObservation(terms, data, ObserveFeatures(terms, data), others);
  EXPECT_THAT(others.Render(),
              HasSubstr("spikes_isi_mean: error: is not a finite number on the "
                        "recording of trace 1"));
  EXPECT_THAT(others.Render(), HasSubstr("give `empty`"));
}

}  // namespace
}  // namespace somafit
