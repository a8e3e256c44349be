// Features through simulations, in place of errors.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/sim/batch.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kDt = 1e-3;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A leaky integrator that spikes, driven by x; w beside it.
ModelSource Source() {
  return {.equations =
              "dv/dt = (g*x - v)/tau : 1\n"
              "w = 2*v - g : 1\n"
              "g : 1\ntau : second\n",
          .method = "euler",
          .constants = {},
          .initial_values = {{"v", "g/10"}},
          .threshold = "v > 0.5",
          .reset = "v = 0"};
}

std::shared_ptr<Dataset> Data() {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"x", kNoDimension}};
  dataset->outputs = {
      {"v", kNoDimension}, {kSpikes, kNoDimension}, {"w", kNoDimension}};
  for (const size_t n_steps : {128, 200, 431}) {
    Trace trace;
    trace.dt = kDt;
    trace.weight = static_cast<double>(n_steps);
    trace.inputs.resize(1);
    for (size_t k = 0; k < n_steps; ++k) {
      trace.inputs[0].push_back(
          1 + std::sin(0.01 * static_cast<double>(k * n_steps)));
    }
    trace.targets.resize(3, std::vector<double>(n_steps));
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

std::vector<FeatureSpec> Specs() {
  return {{"w", "mean", {{"t_start", "20*ms"}, {"t_end", "120*ms"}}},
          {"v", "max", {}},
          {"v", "std", {}},
          {"v", "kurtosis", {{"pearson", "true"}}},
          {"v", "quantile", {{"q", "0.9"}}},
          {kSpikes, "spike_count", {}},
          {kSpikes, "isi_cv", {{"empty", "-1"}}},
          {kSpikes, "isi_mean", {{"empty", "0"}}},
          {"v", "last", {}}};
}

Experiment Make(std::shared_ptr<const Dataset> dataset,
                std::vector<FeatureSpec> features) {
  auto experiment = MakeExperiment(Source(), std::move(dataset), kDt,
                                   {"g", "tau"}, {}, "", std::move(features));
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

void ExpectSame(const Evaluation& a, const Evaluation& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_TRUE(SameBits({&a.total_error, 1}, {&b.total_error, 1}));
  EXPECT_TRUE(SameBits(a.output_errors, b.output_errors));
  EXPECT_TRUE(SameBits(a.output_errors_normalized, b.output_errors_normalized));
  EXPECT_TRUE(SameBits(a.trace_errors, b.trace_errors));
}

// The recording of a simulation has the features that its sample has, to the
// bit.
TEST(FeaturesBatchTest, AnObservationIsAsASimulation) {
  const auto data = Data();
  const Experiment experiment = Make(data, Specs());
  const auto points = Points(30);
  const auto evaluated = Evaluate(experiment, points, 2);
  auto recording = MakeRecordingExperiment(Source(), data, kDt, {"g", "tau"},
                                           {"v", kSpikes, "w"});
  ASSERT_TRUE(recording.ok()) << recording.status();
  const auto traces = RecordBatch(recording->program, *data, points, 1);
  ASSERT_TRUE(traces.ok());
  const RecordingShape shape = ShapeOf(*data, 3);
  const auto columns = FeatureColumns(experiment.features, *data);
  double spikes = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    Dataset recorded = *data;
    for (size_t trace = 0; trace < 3; ++trace) {
      for (size_t o = 0; o < 3; ++o) {
        const auto series = shape.Series((*traces)[i], trace, o);
        recorded.traces[trace].targets[o].assign(series.begin(), series.end());
      }
    }
    const auto observed = ObserveFeatures(experiment.features, recorded);
    const auto x = InOrderOfX(columns, 3, evaluated[i].trace_errors);
    EXPECT_TRUE(SameBits(observed, x)) << i;
    EXPECT_EQ(evaluated[i].status, SampleStatus::kOk);
    EXPECT_EQ(evaluated[i].total_error, 0);
    EXPECT_EQ(evaluated[i].reason, "");
    spikes += evaluated[i].output_errors[5];
  }
  EXPECT_GT(spikes, 10);
}

// Each trace counts as much, whatever its weight in a fit.
TEST(FeaturesBatchTest, HasValuesOfTracesAndTheirMeans) {
  const Experiment experiment = Make(Data(), Specs());
  const auto evaluated = Evaluate(experiment, {{0, 0.01}, {2, 0.01}});
  ASSERT_EQ(evaluated[0].trace_errors.size(), 27u);
  for (size_t f = 0; f < 9; ++f) {
    const double* of_trace = &evaluated[1].trace_errors[3 * f];
    EXPECT_DOUBLE_EQ(evaluated[1].output_errors[f],
                     (of_trace[0] + of_trace[1] + of_trace[2]) / 3);
  }
  EXPECT_EQ(evaluated[1].output_errors, evaluated[1].output_errors_normalized);
  // With g = 0 nothing happens.
  EXPECT_THAT(evaluated[0].output_errors,
              ElementsAre(0, 0, 0, 3, 0, 0, -1, 0, 0));
}

// What recordings lack is nothing that simulations lack.
TEST(FeaturesBatchTest, TargetsDoNotMatter) {
  const auto data = Data(), missing = Data();
  for (Trace& trace : missing->traces) {
    for (auto& target : trace.targets) {
      std::fill(target.begin(), target.end(), kNaN);
    }
  }
  const auto points = Points(5);
  const auto one = Evaluate(Make(data, Specs()), points);
  const auto other = Evaluate(Make(missing, Specs()), points);
  for (size_t i = 0; i < points.size(); ++i) ExpectSame(one[i], other[i]);
}

TEST(FeaturesBatchTest, APointsResultDependsOnThatPointAlone) {
  const Experiment experiment = Make(Data(), Specs());
  auto points = Points(71);
  points[7] = {1, -1e-6};  // diverges
  const auto all = Evaluate(experiment, points);
  EXPECT_EQ(all[7].status, SampleStatus::kNonfinite);
  for (int threads = 2; threads <= 4; ++threads) {
    const auto again = Evaluate(experiment, points, threads);
    for (size_t i = 0; i < points.size(); ++i) ExpectSame(again[i], all[i]);
  }
  for (const size_t cut : {1, 5, 33}) {
    for (size_t first = 0; first < points.size(); first += cut) {
      const size_t n = std::min(cut, points.size() - first);
      const auto part =
          EvaluateBatch(experiment, std::span(points).subspan(first, n), 1);
      ASSERT_TRUE(part.ok());
      for (size_t i = 0; i < n; ++i) ExpectSame((*part)[i], all[first + i]);
    }
  }
}

TEST(FeaturesBatchTest, EveryKernelGivesTheSameBits) {
  const Experiment experiment = Make(Data(), Specs());
  auto points = Points(50);
  points[7] = {1, -1e-6};
  const auto native = Evaluate(experiment, points);
  for (const int width : {4, 16, 32}) {
    const auto other = EvaluateBatch(
        experiment, points, 2, {},
        [&](const Program& program, KernelVariant wanted,
            size_t) -> absl::StatusOr<std::shared_ptr<const Kernel>> {
          EXPECT_EQ(wanted, KernelVariant::kRecord);
          return MakeReferenceKernel(program,
                                     {.variant = wanted, .width = width});
        });
    ASSERT_TRUE(other.ok());
    for (size_t i = 0; i < points.size(); ++i) {
      ExpectSame((*other)[i], native[i]);
    }
  }
}

TEST(FeaturesBatchTest, SaysWhatHasNoNumber) {
  const Experiment experiment =
      Make(Data(), {{"v", "max", {}}, {kSpikes, "isi_mean", {}, "gap"}});
  // Without a spike; with some; one that grows without bound.
  const auto evaluated =
      Evaluate(experiment, {{0.1, 0.01}, {3, 0.01}, {1, -1e-6}});
  EXPECT_EQ(evaluated[0].status, SampleStatus::kNonfinite);
  EXPECT_EQ(evaluated[0].reason, "feature \"gap\" of trace 0 is not a number");
  EXPECT_TRUE(std::isnan(evaluated[0].total_error));
  EXPECT_TRUE(std::isfinite(evaluated[0].output_errors[0]));
  EXPECT_TRUE(std::isnan(evaluated[0].output_errors[1]));
  EXPECT_EQ(evaluated[1].status, SampleStatus::kOk);
  EXPECT_EQ(evaluated[2].status, SampleStatus::kNonfinite);
  EXPECT_THAT(evaluated[2].reason, HasSubstr("v is not within +-1e50 at step"));
  EXPECT_TRUE(std::isnan(evaluated[2].output_errors[0]));
}

TEST(FeaturesBatchTest, AreInPlaceOfErrors) {
  const auto make = [](std::vector<MetricSpec> metrics,
                       const std::string& penalty,
                       std::vector<FeatureSpec> features) {
    const auto experiment =
        MakeExperiment(Source(), Data(), kDt, {"g", "tau"}, std::move(metrics),
                       penalty, std::move(features));
    EXPECT_EQ(experiment.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(experiment.status().message());
  };
  EXPECT_THAT(make({{"v", "mse", {}, {}}}, "", Specs()),
              HasSubstr("leave out the metrics"));
  EXPECT_THAT(make({}, "v", Specs()), HasSubstr("leave out the penalty"));
  EXPECT_THAT(make({}, "", {{"u", "max", {}}, {"v", "maxx", {}}}),
              testing::AllOf(HasSubstr("no output \"u\""),
                             HasSubstr("did you mean \"max\"?")));
  const Experiment experiment = Make(Data(), Specs());
  const auto points = Points(2);
  const auto limited = EvaluateBatch(experiment, points, 1, {}, KernelFor, {},
                                     std::vector<double>{1, 2});
  EXPECT_EQ(limited.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(limited.status().message()),
              HasSubstr("features are wanted"));
}

TEST(FeaturesBatchTest, StopsWhenCancelled) {
  const Experiment experiment = Make(Data(), Specs());
  const auto result =
      EvaluateBatch(experiment, Points(200), 2, [] { return true; });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace somafit
