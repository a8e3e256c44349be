#include "client/lib/trace_plot.h"

#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::TraceHeader Header(int points, std::vector<int64_t> steps) {
  v1::TraceHeader header;
  v1::Variable* const v = header.add_outputs();
  v->set_name("v");
  v->set_display_unit("mV");
  v->set_display_scale(1e-3);
  header.add_outputs()->set_name("a<b");
  header.set_points(points);
  header.mutable_steps()->Add(steps.begin(), steps.end());
  header.set_dt(1e-3);
  return header;
}

Dataset Recorded(const std::string& name, size_t steps) {
  Dataset dataset;
  dataset.outputs = {{name, {}}};
  dataset.traces.resize(1);
  dataset.traces[0].dt = 1e-3;
  dataset.traces[0].targets = {std::vector<double>(steps, -0.05)};
  dataset.traces[0].targets[0][1] = std::nan("");
  return dataset;
}

// [trace][output][step] of one trace: v is `level`, the other 0.
Recording Flat(double level, size_t steps) {
  Recording recording(2 * steps, 0);
  std::fill(recording.begin(), recording.begin() + steps, level);
  return recording;
}

TEST(TracePlotTest, BandsMedianAndRecording) {
  TracePlot plot("fits/a & b", Header(5, {3}));
  ASSERT_TRUE(plot.SetRecordings(Recorded("v", 3)).ok());
  for (const double level : {-0.06, -0.061, -0.062, -0.063, std::nan("")}) {
    plot.Add(Flat(level, 3));
  }
  const auto svg = plot.Svg();
  ASSERT_TRUE(svg.ok()) << svg.status();
  EXPECT_THAT(*svg, testing::StartsWith("<svg xmlns="));
  EXPECT_THAT(*svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(*svg, HasSubstr("<title>fits/a &amp; b</title>"));
  EXPECT_THAT(*svg, HasSubstr("v [mV]"));
  EXPECT_THAT(*svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(*svg, HasSubstr("t [ms]"));
  // A recording with a hole is a line of two pieces; points without numbers
  // leave no trace.
  EXPECT_THAT(*svg, HasSubstr("#d62728"));
  EXPECT_THAT(*svg, Not(HasSubstr("nan")));
  EXPECT_THAT(*svg, Not(HasSubstr("inf")));
}

TEST(TracePlotTest, HighestIsAtTheTop) {
  TracePlot plot("t", Header(1, {2}));
  Recording rising = Flat(0, 2);
  rising[1] = 1;
  plot.Add(rising);
  const auto svg = plot.Svg();
  ASSERT_TRUE(svg.ok());
  // The limits are a tenth wider, so that it goes from 1/12 above the bottom.
  EXPECT_THAT(*svg, HasSubstr("M0 146.67L320 13.33"));
}

TEST(TracePlotTest, WhatCannotBeDrawn) {
  TracePlot plot("t", Header(1, {3}));
  EXPECT_THAT(std::string(plot.SetRecordings(Recorded("v", 4)).message()),
              HasSubstr("traces and steps"));
  EXPECT_THAT(std::string(plot.SetRecordings(Recorded("w", 3)).message()),
              HasSubstr("--output w"));
  const TracePlot many("t", Header(1, std::vector<int64_t>(40, 3)));
  EXPECT_THAT(std::string(many.Svg().status().message()),
              HasSubstr("2 variables on 40 traces are 80 panels"));
}

}  // namespace
}  // namespace somafit
