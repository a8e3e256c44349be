// Terms of the error through simulations: groups, errors in the model language,
// penalties.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/sim/batch.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kDt = 1e-3;

// Three leaky variables that are driven in turn.
ModelSource Source() {
  return {.equations =
              "da/dt = (x - a)/tau : 1\n"
              "db/dt = (a - b)/tau : 1\n"
              "dc/dt = (g*x*b - c)/tau : 1\n"
              "toll = g**2 + c + x + t/second : 1\n"
              "g : 1\ntau : second\n",
          .method = "euler",
          .constants = {},
          .initial_values = {{"a", "0.5"}}};
}

std::shared_ptr<Dataset> Data(size_t n_steps = 300) {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"x", kNoDimension}};
  for (const char* const name : {"a", "b", "c"}) {
    dataset->outputs.push_back({name, kNoDimension});
  }
  for (size_t i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = kDt;
    trace.weight = static_cast<double>(1 + i);
    trace.inputs.resize(1);
    trace.targets.resize(3);
    for (size_t k = 0; k < n_steps; ++k) {
      const double angle = 0.05 * static_cast<double>(k * (i + 1));
      trace.inputs[0].push_back(std::sin(angle));
      for (size_t o = 0; o < 3; ++o) {
        trace.targets[o].push_back(std::cos(angle + static_cast<double>(o)));
      }
    }
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

Experiment Make(std::shared_ptr<const Dataset> dataset,
                std::vector<MetricSpec> metrics,
                const std::string& penalty = "",
                ModelSource source = Source()) {
  auto experiment = MakeExperiment(source, std::move(dataset), kDt,
                                   {"g", "tau"}, std::move(metrics), penalty);
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

const std::vector<std::vector<double>> kPoints = {
    {0.5, 0.02}, {1.5, 0.05}, {-1, 0.1}, {2, 0.015}};

// A group's error is the sum of its parts where these are independent of each
// other: what a term alone is, does not change beside others.
TEST(TermsBatchTest, TermsDoNotChangeEachOther) {
  const auto data = Data();
  const Experiment all =
      Make(data, {{"together", "fc_rmse", {}, {}, {"a", "b", "c"}},
                  {"last", "mse", {{"t_start", "50*ms"}}, {}, {"c"}},
                  {"top", "max", {}, {}, {"a"}},
                  {"cost", "expression", {{"expression", "abs(a - b)"}}, {}}});
  ASSERT_EQ(all.terms.size(), 4u);
  const auto evaluated = Evaluate(all, kPoints, 2);
  const std::vector<std::vector<MetricSpec>> alone = {
      {{"together", "fc_rmse", {}, {}, {"a", "b", "c"}}},
      {{"x1", "fc_rmse", {}, {}, {"a", "b"}},
       {"last", "mse", {{"t_start", "50*ms"}}, {}, {"c"}}},
      {{"x1", "fc_rmse", {}, {}, {"b", "c"}}, {"top", "max", {}, {}, {"a"}}}};
  for (size_t term = 0; term < alone.size(); ++term) {
    const Experiment one = Make(data, alone[term]);
    const auto seen = Evaluate(one, kPoints);
    for (size_t i = 0; i < kPoints.size(); ++i) {
      EXPECT_NEAR(seen[i].output_errors.back(),
                  evaluated[i].output_errors[term], 1e-12);
    }
  }
  for (const Evaluation& each : evaluated) {
    double sum = 0;
    for (const double error : each.output_errors) sum += error;
    EXPECT_DOUBLE_EQ(each.total_error, sum);
    EXPECT_EQ(each.trace_errors.size(), 8u);
  }
}

// The same number as from the recorded traces.
TEST(TermsBatchTest, AnExpressionIsWhatItSays) {
  const auto data = Data();
  const std::vector<MetricSpec> terms = {
      {"a", "", {}, {}},
      {"b", "", {}, {}},
      {"c", "", {}, {}},
      {"mean",
       "expression",
       {{"expression", "(a - a_target)**2 + g"}, {"t_start", "20*ms"}},
       {}},
      {"top", "expression", {{"expression", "b*c"}, {"max", "true"}}, {}},
      {"end", "expression", {{"expression", "t/second"}, {"last", "true"}}, {}},
      {"sum", "expression", {{"expression", "0.5"}, {"sum", "true"}}, {}}};
  const auto evaluated = Evaluate(Make(data, terms), kPoints);
  auto recording = MakeRecordingExperiment(Source(), data, kDt, {"g", "tau"},
                                           {"a", "b", "c"}, terms);
  ASSERT_TRUE(recording.ok()) << recording.status();
  const auto traces = RecordBatch(recording->program, *data, kPoints, 1);
  ASSERT_TRUE(traces.ok());
  const RecordingShape shape = ShapeOf(*data, 3);
  for (size_t i = 0; i < kPoints.size(); ++i) {
    for (size_t trace = 0; trace < 2; ++trace) {
      const auto series = [&](size_t o) {
        return shape.Series((*traces)[i], trace, o);
      };
      double mean = 0, top = -1e9;
      for (size_t k = 0; k < 300; ++k) {
        const double d = series(0)[k] - data->traces[trace].targets[0][k];
        if (k >= 20) mean += d * d + kPoints[i][0];
        top = std::max(top, series(1)[k] * series(2)[k]);
      }
      const auto& errors = evaluated[i].trace_errors;
      EXPECT_NEAR(errors[6 + trace], mean / 280, 1e-12);
      EXPECT_NEAR(errors[8 + trace], top, 1e-12);
      EXPECT_NEAR(errors[10 + trace], 0.299, 1e-12);
      EXPECT_EQ(errors[12 + trace], 150);
    }
  }
}

// Where a target that it names is missing, a step does not count; and what an
// expression compares has no term of its own.
TEST(TermsBatchTest, AnExpressionSkipsMissingTargets) {
  auto data = Data();
  const std::vector<MetricSpec> terms = {
      {"cost", "expression", {{"expression", "abs(a - a_target)"}}, {}}};
  const auto expected =
      Evaluate(Make(data, {{"a", "mae", {{"t_start", "40*ms"}}, {}}}), kPoints);
  for (Trace& trace : data->traces) {
    std::fill_n(trace.targets[0].begin(), 40,
                std::numeric_limits<double>::quiet_NaN());
  }
  const Experiment experiment = Make(data, terms);
  EXPECT_EQ(experiment.terms.size(), 3u);
  const auto seen = Evaluate(experiment, kPoints);
  for (size_t i = 0; i < kPoints.size(); ++i) {
    EXPECT_EQ(seen[i].status, SampleStatus::kOk);
    EXPECT_NEAR(seen[i].output_errors.back(), expected[i].output_errors[0],
                1e-14);
  }
}

// After the last step: the states that would be recorded next, the time of that
// step, inputs held; in the mean over traces by their weights.
TEST(TermsBatchTest, APenaltyIsAddedAfterTheEnd) {
  const auto data = Data(), longer = Data(301);
  const auto with = Evaluate(Make(data, {}, "toll"), kPoints);
  const auto without = Evaluate(Make(data, {}), kPoints);
  auto recording =
      MakeRecordingExperiment(Source(), longer, kDt, {"g", "tau"}, {"c"});
  ASSERT_TRUE(recording.ok());
  const auto traces = RecordBatch(recording->program, *longer, kPoints, 1);
  ASSERT_TRUE(traces.ok());
  const RecordingShape shape = ShapeOf(*longer, 1);
  for (size_t i = 0; i < kPoints.size(); ++i) {
    double mean = 0;
    for (size_t trace = 0; trace < 2; ++trace) {
      const double g = kPoints[i][0];
      const double toll = g * g + shape.Series((*traces)[i], trace, 0)[300] +
                          data->traces[trace].inputs[0][299] + 0.3;
      mean += toll * static_cast<double>(1 + trace) / 3;
    }
    ASSERT_TRUE(with[i].penalty.has_value());
    EXPECT_NEAR(*with[i].penalty, mean, 1e-12);
    EXPECT_DOUBLE_EQ(with[i].total_error,
                     without[i].total_error + *with[i].penalty);
    // It changes no bit of anything else.
    EXPECT_EQ(with[i].output_errors, without[i].output_errors);
    EXPECT_FALSE(without[i].penalty.has_value());
  }
}

TEST(TermsBatchTest, APenaltyOfASolversModelAndOfNoise) {
  ModelSource source = Source();
  source.method = "dopri5";
  const auto solved = Evaluate(Make(Data(50), {}, "toll", source), kPoints);
  const auto fixed = Evaluate(Make(Data(50), {}, "toll"), kPoints);
  for (size_t i = 0; i < kPoints.size(); ++i) {
    EXPECT_NEAR(*solved[i].penalty, *fixed[i].penalty, 0.1);
  }
  source = Source();
  source.equations += "luck = c + rand() : 1 (constant over dt)\n";
  const Experiment drawn = Make(Data(50), {}, "luck", source);
  const auto once = Evaluate(drawn, kPoints), again = Evaluate(drawn, kPoints);
  for (size_t i = 0; i < kPoints.size(); ++i) {
    EXPECT_EQ(*once[i].penalty, *again[i].penalty);
    EXPECT_NE(*once[i].penalty, *once[(i + 1) % kPoints.size()].penalty);
  }
}

TEST(TermsBatchTest, WhatDivergesHasNoPenalty) {
  ModelSource source = Source();
  source.equations =
      "da/dt = a*a*a/tau : 1\nb = a : 1\nc = g*x : 1\n"
      "g : 1\ntau : second\n";
  source.initial_values = {{"a", "g"}};
  const auto evaluated =
      Evaluate(Make(Data(), {}, "b", source), {{0.1, 0.1}, {50, 1e-3}});
  EXPECT_EQ(evaluated[0].status, SampleStatus::kOk);
  EXPECT_EQ(evaluated[1].status, SampleStatus::kNonfinite);
  EXPECT_TRUE(std::isnan(*evaluated[1].penalty));
  EXPECT_TRUE(std::isnan(evaluated[1].total_error));
}

TEST(TermsBatchTest, SpikesAreNoPenalty) {
  ModelSource source = Source();
  source.threshold = "a > 0.9";
  source.reset = "a = 0";
  for (const char* const method : {"euler", "dopri5"}) {
    source.method = method;
    const auto experiment =
        MakeExperiment(source, Data(), kDt, {"g", "tau"}, {}, "spikes");
    EXPECT_EQ(experiment.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(experiment.status().message()),
                HasSubstr("no spikes after the last step"));
  }
}

TEST(TermsBatchTest, RefusesAPenaltyThatThereIsNot) {
  const auto experiment =
      MakeExperiment(Source(), Data(), kDt, {"g", "tau"}, {}, "tol");
  EXPECT_EQ(experiment.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(experiment.status().message()), HasSubstr("toll"));
}

// Whatever the number of threads and the cut, as without groups.
TEST(TermsBatchTest, APointsResultDependsOnThatPointAlone) {
  std::vector<MetricSpec> terms = {
      {"together", "fcd_correlation", {{"window", "40"}}, {}, {"a", "b", "c"}}};
  const Experiment experiment = Make(Data(), terms, "toll");
  std::vector<std::vector<double>> points;
  for (int i = 0; i < 70; ++i)
    points.push_back({0.1 * i - 3, 0.01 + 0.002 * i});
  const auto all = Evaluate(experiment, points, 3);
  for (size_t i = 0; i < points.size(); i += 9) {
    const auto one = Evaluate(experiment, {points[i]});
    EXPECT_TRUE(SameBits({&one[0].total_error, 1}, {&all[i].total_error, 1}));
    EXPECT_EQ(one[0].penalty, all[i].penalty);
  }
}

}  // namespace
}  // namespace somafit
