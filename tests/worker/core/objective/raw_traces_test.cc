#include "worker/core/objective/raw_traces.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/units/unit.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDt = 1e-3;

// v[k] = k + 0.1 and w[k] = 100 k, of two traces of 10 and 15 steps; of the
// second one all is 1000 higher.
Dataset Data() {
  const Dimension volt = FindUnit("volt")->dimension;
  Dataset data;
  data.outputs = {{"v", volt}, {"w", volt}};
  for (size_t i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = kDt;
    for (const double scale : {1.0, 100.0}) {
      std::vector<double>& series = trace.targets.emplace_back();
      for (size_t k = 0; k < 10 + 5 * i; ++k) {
        series.push_back(scale * static_cast<double>(k) + 1000.0 * i);
      }
    }
    data.traces.push_back(trace);
  }
  return data;
}

XColumns ColumnsOf(std::vector<FeatureSpec> specs, const Dataset& data) {
  Diagnostics diagnostics;
  const auto terms = MakeFeatures(specs, data, kDt, diagnostics);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_TRUE(AreRawTraces(terms));
  return RawColumns(terms, data);
}

std::string Mistakes(std::vector<FeatureSpec> specs, const Dataset& data) {
  Diagnostics diagnostics;
  MakeFeatures(specs, data, kDt, diagnostics);
  return diagnostics.Render();
}

TEST(RawTracesTest, WithoutFeaturesAreAllStepsOfAllOutputs) {
  const Dataset data = Data();
  Diagnostics diagnostics;
  std::vector<FeatureSpec> specs = TracesOfOutputs(data, diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  const XColumns columns = ColumnsOf(specs, data);
  ASSERT_EQ(columns.size(), 50u);
  EXPECT_TRUE(columns.raw());
  // Output by output, trace by trace, step by step.
  EXPECT_EQ(columns.NameOf(0), "v[0][0]");
  EXPECT_EQ(columns.NameOf(9), "v[0][9]");
  EXPECT_EQ(columns.NameOf(10), "v[1][0]");
  EXPECT_EQ(columns.NameOf(24), "v[1][14]");
  EXPECT_EQ(columns.NameOf(25), "w[0][0]");
  EXPECT_EQ(columns.NameOf(49), "w[1][14]");
  EXPECT_THAT(columns.OutputEnds(), ElementsAre(25, 50));
  const std::vector<double> x = ObserveTraces(columns, data);
  ASSERT_EQ(x.size(), 50u);
  EXPECT_EQ(x[9], 9);
  EXPECT_EQ(x[10], 1000);
  EXPECT_EQ(x[49], 2400);
}

TEST(RawTracesTest, WindowsAndDecimation) {
  const XColumns columns =
      ColumnsOf({{"w", "trace", {{"t_start", "2*ms"}, {"every", "3"}}, ""},
                 {"v", "trace", {{"t_end", "2*ms"}}, "early"},
                 {"v", "trace", {{"t_start", "8*ms"}, {"t_end", "10*ms"}}, ""}},
                Data());
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    names.push_back(columns.NameOf(i));
  }
  EXPECT_THAT(names,
              ElementsAre("early[0][0]", "early[0][1]", "v[0][8]", "v[0][9]",
                          "early[1][0]", "early[1][1]", "v[1][8]", "v[1][9]",
                          "w[0][2]", "w[0][5]", "w[0][8]", "w[1][2]", "w[1][5]",
                          "w[1][8]", "w[1][11]", "w[1][14]"));
  EXPECT_THAT(columns.OutputEnds(), ElementsAre(8, 16));
  EXPECT_THAT(ObserveTraces(columns, Data()),
              ElementsAre(0, 1, 8, 9, 1000, 1001, 1008, 1009, 200, 500, 800,
                          1200, 1500, 1800, 2100, 2400));
}

TEST(RawTracesTest, NumbersAreFloats) {
  EXPECT_EQ(RawNumber(0.1), 0.1f);
  EXPECT_TRUE(std::isinf(RawNumber(1e39)));
  const float one = RawNumber(kNaN), other = RawNumber(-kNaN);
  EXPECT_EQ(std::bit_cast<uint32_t>(one), std::bit_cast<uint32_t>(other));
  Dataset data = Data();
  data.traces[0].targets[0][0] = 0.1;
  const XColumns columns = ColumnsOf({{"v", "trace", {}, ""}}, data);
  EXPECT_EQ(ObserveTraces(columns, data)[0], static_cast<double>(0.1f));
}

TEST(RawTracesTest, ARecordingsHoleIsNamed) {
  Dataset data = Data();
  data.traces[1].targets[1][4] = kNaN;
  data.traces[1].targets[1][5] = kNaN;
  data.traces[0].targets[0][2] = 1e39;
  const auto problems = [&](std::vector<FeatureSpec> specs) {
    const XColumns columns = ColumnsOf(std::move(specs), data);
    Diagnostics diagnostics;
    CheckTraces(columns, ObserveTraces(columns, data), diagnostics);
    return diagnostics.Render();
  };
  const std::string all =
      problems({{"v", "trace", {}, ""}, {"w", "trace", {}, ""}});
  EXPECT_THAT(all, HasSubstr("inference.features.w"));
  EXPECT_THAT(all, HasSubstr("trace 1 has no point at step 4"));
  EXPECT_THAT(all, HasSubstr("beyond what 32 bits hold at step 2"));
  EXPECT_EQ(all.find("at step 5"), std::string::npos);
  // What is not looked at does not matter.
  EXPECT_EQ(problems({{"w", "trace", {{"every", "7"}}, ""}}), "");
  EXPECT_EQ(problems({{"w", "trace", {{"t_end", "4*ms"}}, ""}}), "");
}

TEST(RawTracesTest, MistakesAreSaid) {
  const Dataset data = Data();
  EXPECT_THAT(Mistakes({{"v", "trace", {}, ""}, {"v", "max", {}, ""}}, data),
              HasSubstr("stands beside other features, such as \"v_max\""));
  EXPECT_THAT(Mistakes({{"v", "trace", {{"every", "0"}}, ""}}, data),
              HasSubstr("every"));
  EXPECT_THAT(Mistakes({{"v", "trace", {{"every", "1.5"}}, ""}}, data),
              HasSubstr("every"));
  EXPECT_THAT(Mistakes({{"v", "trace", {{"t_start", "1*second"}}, ""}}, data),
              HasSubstr("lies beyond the trace"));
  EXPECT_THAT(
      Mistakes({{"v", "trace", {}, ""}, {"v", "trace", {}, "again"}}, data),
      HasSubstr("is the same as \"v\""));
  Dataset with_spikes = data;
  with_spikes.outputs.push_back({kSpikes, kNoDimension});
  for (Trace& trace : with_spikes.traces) {
    trace.targets.emplace_back(trace.n_steps());
  }
  EXPECT_THAT(Mistakes({{kSpikes, "trace", {}, ""}}, with_spikes),
              HasSubstr("of a trace, not of spikes"));
  Diagnostics diagnostics;
  TracesOfOutputs(with_spikes, diagnostics);
  EXPECT_THAT(diagnostics.Render(), HasSubstr("spikes have no raw trace"));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("spike_count"));
}

TEST(RawTracesTest, HaveALimit) {
  Dataset data;
  data.outputs = {{"v", kNoDimension}};
  data.traces.resize(1);
  data.traces[0].dt = kDt;
  data.traces[0].targets = {std::vector<double>(kMaxRawColumns + 1)};
  EXPECT_THAT(Mistakes({{"v", "trace", {}, ""}}, data),
              HasSubstr("a sample's x has 200001 numbers; at most 200000"));
  EXPECT_EQ(Mistakes({{"v", "trace", {{"every", "2"}}, ""}}, data), "");
  const XColumns columns =
      ColumnsOf({{"v", "trace", {{"every", "2"}}, ""}}, data);
  EXPECT_EQ(columns.NameOf(columns.size() - 1), "v[0][200000]");
}

}  // namespace
}  // namespace somafit
