// Raw traces through simulations, as x.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/core/objective/raw_traces.h"
#include "worker/sim/batch.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kDt = 1e-3;

ModelSource Source() {
  return {.equations =
              "dv/dt = (g*x - v)/tau + v*v*k/second : 1\n"
              "w = 2*v - g : 1\n"
              "g : 1\ntau : second\nk : 1\n",
          .method = "euler",
          .constants = {},
          .initial_values = {{"v", "g/10"}}};
}

std::shared_ptr<Dataset> Data() {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"x", kNoDimension}};
  dataset->outputs = {{"v", kNoDimension}, {"w", kNoDimension}};
  for (const size_t n_steps : {128, 200, 431}) {
    Trace trace;
    trace.dt = kDt;
    trace.inputs.resize(1);
    for (size_t k = 0; k < n_steps; ++k) {
      trace.inputs[0].push_back(
          1 + std::sin(0.01 * static_cast<double>(k * n_steps)));
    }
    trace.targets.resize(2, std::vector<double>(n_steps));
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

Experiment Make(std::shared_ptr<const Dataset> dataset) {
  auto experiment = MakeExperiment(
      Source(), std::move(dataset), kDt, {"g", "tau", "k"}, {}, "",
      {{"w", "trace", {{"t_start", "20*ms"}, {"every", "7"}}, ""},
       {"v", "trace", {{"t_end", "120*ms"}}, ""}});
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  return *std::move(experiment);
}

std::vector<Evaluation> Evaluate(const Experiment& experiment,
                                 const std::vector<std::vector<double>>& points,
                                 int threads = 1) {
  auto result = EvaluateBatch(experiment, points, threads);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

std::vector<std::vector<double>> RawPoints(size_t n) {
  std::vector<std::vector<double>> points;
  for (size_t i = 0; i < n; ++i) {
    points.push_back({0.5 + 0.1 * static_cast<double>(i), 0.01, 0});
  }
  return points;
}

// A simulation's x is that of its recording, to the bit.
TEST(RawBatchTest, ASimulationIsAsAnObservation) {
  const auto data = Data();
  const Experiment experiment = Make(data);
  ASSERT_EQ(experiment.raw_columns.size(), 3 * 120 + 16 + 26 + 59u);
  const auto points = RawPoints(21);
  const auto evaluated = Evaluate(experiment, points, 2);
  auto recording = MakeRecordingExperiment(Source(), data, kDt,
                                           {"g", "tau", "k"}, {"v", "w"});
  ASSERT_TRUE(recording.ok()) << recording.status();
  const auto traces = RecordBatch(recording->program, *data, points, 1);
  ASSERT_TRUE(traces.ok());
  const RecordingShape shape = ShapeOf(*data, 2);
  for (size_t i = 0; i < points.size(); ++i) {
    Dataset recorded = *data;
    for (size_t trace = 0; trace < 3; ++trace) {
      for (size_t o = 0; o < 2; ++o) {
        const auto series = shape.Series((*traces)[i], trace, o);
        recorded.traces[trace].targets[o].assign(series.begin(), series.end());
      }
    }
    const auto observed = ObserveTraces(experiment.raw_columns, recorded);
    ASSERT_EQ(evaluated[i].raw_x.size(), observed.size());
    for (size_t c = 0; c < observed.size(); ++c) {
      ASSERT_EQ(evaluated[i].raw_x[c], observed[c])
          << i << " " << experiment.raw_columns.NameOf(c);
    }
    EXPECT_EQ(evaluated[i].status, SampleStatus::kOk);
    EXPECT_EQ(evaluated[i].total_error, 0);
    EXPECT_TRUE(evaluated[i].trace_errors.empty());
    EXPECT_TRUE(evaluated[i].output_errors.empty());
  }
  EXPECT_NE(evaluated[3].raw_x, evaluated[4].raw_x);
}

TEST(RawBatchTest, DoesNotDependOnThreadsOrNeighbours) {
  const Experiment experiment = Make(Data());
  const auto points = RawPoints(40);
  const auto all = Evaluate(experiment, points, 3);
  for (const size_t i : {size_t{0}, size_t{17}, size_t{39}}) {
    EXPECT_EQ(Evaluate(experiment, {points[i]})[0].raw_x, all[i].raw_x);
  }
}

TEST(RawBatchTest, WhatDivergesHasNoNumbers) {
  const Experiment experiment = Make(Data());
  auto points = RawPoints(3);
  points[1][2] = 1e6;  // v grows beyond all bounds
  const auto evaluated = Evaluate(experiment, points);
  EXPECT_EQ(evaluated[0].status, SampleStatus::kOk);
  EXPECT_EQ(evaluated[1].status, SampleStatus::kNonfinite);
  EXPECT_THAT(evaluated[1].reason, HasSubstr("v is not within"));
  for (const float value : evaluated[1].raw_x) EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(evaluated[2].raw_x, Evaluate(experiment, {points[2]})[0].raw_x);
  // Finite as a double, but not as a float.
  points[1] = {1e40, 0.01, 0};
  const auto large = Evaluate(experiment, points);
  EXPECT_EQ(large[1].status, SampleStatus::kNonfinite);
  EXPECT_EQ(large[1].reason, "v[0][0] is beyond what 32 bits hold");
}

}  // namespace
}  // namespace somafit
