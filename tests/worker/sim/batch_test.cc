#include "worker/sim/batch.h"

#include <atomic>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/core/base/random.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// dv/dt = (I - g v)/tau, and w = 2 v; traces of different length and weight.
ModelSource Source() {
  return {"dv/dt = (I - g*v)/tau : 1\nw = 2*v : 1\ntau : second\ng : 1",
          "",
          {},
          {{"v", "g"}}};
}

std::shared_ptr<Dataset> Data() {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"I", kNoDimension}};
  dataset->outputs = {{"v", kNoDimension}, {"w", kNoDimension}};
  RandomStream random(5, StreamPurpose::kExample, 0, 0);
  for (size_t i = 0; i < 3; ++i) {
    Trace trace;
    trace.dt = 1e-3;
    trace.weight = static_cast<double>(i + 1);
    trace.inputs.resize(1);
    trace.targets.resize(2);
    for (size_t k = 0; k < 20 + 10 * i; ++k) {
      trace.inputs[0].push_back(random.Uniform());
      trace.targets[0].push_back(random.Uniform());
      trace.targets[1].push_back(k % 3 == 0 ? kNaN : random.Uniform());
    }
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

// Points are (g, tau): not the model's order.
Experiment Make(std::shared_ptr<const Dataset> dataset,
                std::vector<MetricSpec> metrics = {}) {
  auto experiment = MakeExperiment(Source(), std::move(dataset), 1e-3,
                                   {"g", "tau"}, std::move(metrics));
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  return *std::move(experiment);
}

void ExpectSame(const Evaluation& a, const Evaluation& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_TRUE(SameBits({&a.total_error, 1}, {&b.total_error, 1}));
  EXPECT_TRUE(SameBits(a.output_errors, b.output_errors));
  EXPECT_TRUE(SameBits(a.output_errors_normalized, b.output_errors_normalized));
  EXPECT_TRUE(SameBits(a.trace_errors, b.trace_errors));
}

TEST(EvaluateBatchTest, APointsResultDependsOnThatPointAlone) {
  const Experiment experiment = Make(Data());
  const auto points = Points(71);
  const auto all = EvaluateBatch(experiment, points, 1);
  ASSERT_TRUE(all.ok());
  for (int threads = 2; threads <= 4; ++threads) {
    const auto again = EvaluateBatch(experiment, points, threads);
    ASSERT_TRUE(again.ok());
    for (size_t i = 0; i < points.size(); ++i)
      ExpectSame((*again)[i], (*all)[i]);
  }
  const std::vector<std::vector<double>> reversed(points.rbegin(),
                                                  points.rend());
  const auto backwards = EvaluateBatch(experiment, reversed, 2);
  ASSERT_TRUE(backwards.ok());
  for (size_t i = 0; i < points.size(); ++i) {
    ExpectSame((*backwards)[points.size() - 1 - i], (*all)[i]);
  }
  for (const size_t cut : {1, 5, 33}) {
    for (size_t first = 0; first < points.size(); first += cut) {
      const size_t n = std::min(cut, points.size() - first);
      const auto part =
          EvaluateBatch(experiment, std::span(points).subspan(first, n), 1);
      ASSERT_TRUE(part.ok());
      for (size_t i = 0; i < n; ++i) ExpectSame((*part)[i], (*all)[first + i]);
    }
  }
}

TEST(EvaluateBatchTest, EveryKernelGivesTheSameBits) {
  const Experiment experiment = Make(Data());
  auto points = Points(50);
  points[7] = {-1e6, 1e-3};  // diverges
  const auto native = EvaluateBatch(experiment, points, 1);
  ASSERT_TRUE(native.ok());
  for (const int width : {4, 16, 32}) {
    const auto other = EvaluateBatch(
        experiment, points, 2, {},
        [&](const Program& program, KernelVariant wanted,
            size_t) -> absl::StatusOr<std::shared_ptr<const Kernel>> {
          EXPECT_NE(wanted, KernelVariant::kRecord);
          return MakeReferenceKernel(program,
                                     {.variant = wanted, .width = width});
        });
    ASSERT_TRUE(other.ok());
    for (size_t i = 0; i < points.size(); ++i) {
      ExpectSame((*other)[i], (*native)[i]);
      EXPECT_EQ((*other)[i].reason, (*native)[i].reason);
    }
  }
}

// A kernel goes by the places of parameters, not their names.
TEST(EvaluateBatchTest, TheOrderOfParametersChangesNoNumber) {
  const auto dataset = Data();
  const Experiment experiment = Make(dataset);
  auto swapped = MakeExperiment(Source(), dataset, 1e-3, {"tau", "g"}, {});
  ASSERT_TRUE(swapped.ok()) << swapped.status();
  const auto points = Points(20);
  std::vector<std::vector<double>> reversed = points;
  for (auto& point : reversed) std::swap(point[0], point[1]);
  const auto one = EvaluateBatch(experiment, points, 1);
  const auto other = EvaluateBatch(*swapped, reversed, 1);
  ASSERT_TRUE(one.ok() && other.ok());
  for (size_t i = 0; i < points.size(); ++i) ExpectSame((*one)[i], (*other)[i]);
}

// As another metric, which no kernel can add up by itself.
class ObservingMetric final : public Metric {
 public:
  explicit ObservingMetric(std::unique_ptr<Metric> metric)
      : metric_(std::move(metric)) {}
  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return metric_->Start(target, n_lanes);
  }
  double Normalize(double error) const override {
    return metric_->Normalize(error);
  }
  size_t CountedSteps(std::span<const double> target) const override {
    return metric_->CountedSteps(target);
  }

 private:
  const std::unique_ptr<Metric> metric_;
};

// Over the seams of chunks, with lanes that diverge in the midst of a block, in
// narrow blocks and wide.
TEST(EvaluateBatchTest, MetricsSeeWhatKernelsAddUp) {
  auto dataset = Data();
  for (Trace& trace : dataset->traces) {
    const size_t n_steps = trace.n_steps() == 20   ? 128
                           : trace.n_steps() == 30 ? 129
                                                   : 400;
    trace.inputs[0].resize(n_steps, 0.5);
    for (auto& target : trace.targets) target.resize(n_steps, 0.25);
  }
  const Experiment adding = Make(dataset);
  Experiment observing = Make(dataset);
  for (Term& term : observing.terms) {
    term.metric = std::make_unique<ObservingMetric>(std::move(term.metric));
  }
  auto points = Points(300);
  for (size_t i = 0; i < points.size(); i += 7) points[i] = {-400, 1e-3};
  const auto added = EvaluateBatch(adding, points, 1);
  const auto observed = EvaluateBatch(observing, points, 2);
  const auto few = EvaluateBatch(adding, std::span(points).first(9), 1);
  ASSERT_TRUE(added.ok() && observed.ok() && few.ok());
  EXPECT_EQ((*added)[7].status, SampleStatus::kNonfinite);
  EXPECT_EQ((*added)[8].status, SampleStatus::kOk);
  for (size_t i = 0; i < points.size(); ++i) {
    ExpectSame((*observed)[i], (*added)[i]);
    EXPECT_EQ((*observed)[i].reason, (*added)[i].reason);
    if (i < few->size()) ExpectSame((*few)[i], (*added)[i]);
  }
}

TEST(EvaluateBatchTest, ADivergedSampleIsNeverOk) {
  auto dataset = Data();
  for (auto& target : dataset->traces[2].targets) {
    std::fill(target.begin(), target.end(), kNaN);
  }
  // Only in the last trace, which is the longest and of which nothing counts,
  // does it come so far.
  dataset->traces[2].inputs[0].resize(400, 0.5);
  for (auto& target : dataset->traces[2].targets) target.resize(400, kNaN);
  const Experiment experiment = Make(dataset);
  const auto result = EvaluateBatch(
      experiment, std::vector<std::vector<double>>{{-400, 1e-3}}, 1);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)[0].status, SampleStatus::kNonfinite);
  EXPECT_THAT((*result)[0].reason, HasSubstr("trace"));
}

// Too much for a compiler: the same bits from the interpreter.
TEST(KernelForTest, InterpretsWhatIsTooLarge) {
  std::string sum = "0";
  for (int i = 0; i < 900; ++i) {
    sum += " + exp(-y*1.0" + std::to_string(1001 + i) + ")";
  }
  auto dataset = std::make_shared<Dataset>();
  dataset->outputs = {{"x", kNoDimension}};
  Trace trace;
  trace.dt = 1e-3;
  trace.targets.assign(1, std::vector<double>(5, 0.0));
  dataset->traces.push_back(trace);
  auto experiment = MakeExperiment(
      {"dx/dt = g*(" + sum + ")/second : 1\ndy/dt = 1*Hz : 1\ng : 1",
       "",
       {},
       {}},
      dataset, 1e-3, {"g"}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_FALSE(FitsNativeCode(experiment->program));
  EXPECT_FALSE(CompileKernel(experiment->program, {}).ok());
  const auto result =
      EvaluateBatch(*experiment, std::vector<std::vector<double>>{{1.0}}, 1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT((*result)[0].total_error, 0);
}

TEST(EvaluateBatchTest, SaysWhereASimulationDiverged) {
  // v grows 2-fold a step, from 1: above 1e50 after 167 steps.
  auto dataset = std::make_shared<Dataset>();
  dataset->outputs = {{"v", kNoDimension}};
  for (const size_t n_steps : {160, 200, 400}) {
    Trace trace;
    trace.dt = 1;
    trace.targets.assign(1, std::vector<double>(n_steps, 0.0));
    dataset->traces.push_back(std::move(trace));
  }
  auto experiment = MakeExperiment(
      {"dv/dt = g*v/second + 0*w/second : 1\ndw/dt = 0/second : 1\ng : 1",
       "",
       {},
       {{"v", "1"}}},
      dataset, 1, {"g"}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const auto result = EvaluateBatch(
      *experiment, std::vector<std::vector<double>>{{std::log(2.0)}, {0.0}}, 1);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)[0].status, SampleStatus::kNonfinite);
  EXPECT_EQ((*result)[0].reason,
            "v is not within +-1e50 at step 167 of trace 1");
  EXPECT_TRUE(std::isfinite((*result)[0].trace_errors[0]));
  EXPECT_TRUE(std::isnan((*result)[0].trace_errors[1]));
  EXPECT_EQ((*result)[1].status, SampleStatus::kOk);
  EXPECT_EQ((*result)[1].reason, "");
}

TEST(EvaluateBatchTest, AggregatesAsDefined) {
  const auto dataset = Data();
  MetricSpec w;
  w.output = "w";
  w.options = {{"normalization", "2"}};
  const Experiment experiment = Make(dataset, {w});
  const std::vector<std::vector<double>> points = {{1.5, 5e-3}};
  const auto result = EvaluateBatch(experiment, points, 1);
  ASSERT_TRUE(result.ok());
  const Evaluation& evaluation = (*result)[0];
  const auto recordings = RecordBatch(experiment.program, *dataset, points, 1);
  ASSERT_TRUE(recordings.ok());
  const RecordingShape shape = ShapeOf(*dataset, 2);
  double output_errors[2] = {0, 0};
  for (size_t o = 0; o < 2; ++o) {
    for (size_t t = 0; t < 3; ++t) {
      double sum = 0, count = 0;
      const auto& target = dataset->traces[t].targets[o];
      for (size_t k = 0; k < target.size(); ++k) {
        if (std::isnan(target[k])) continue;
        sum += std::pow(shape.Series((*recordings)[0], t, o)[k] - target[k], 2);
        ++count;
      }
      EXPECT_NEAR(evaluation.trace_errors[o * 3 + t], sum / count, 1e-14);
      output_errors[o] += dataset->traces[t].weight * sum / count / 6;
    }
    EXPECT_NEAR(evaluation.output_errors[o], output_errors[o], 1e-14);
  }
  EXPECT_NEAR(evaluation.output_errors_normalized[0], output_errors[0], 1e-14);
  EXPECT_NEAR(evaluation.output_errors_normalized[1], output_errors[1] / 4,
              1e-14);
  EXPECT_NEAR(evaluation.total_error, output_errors[0] + output_errors[1] / 4,
              1e-14);
  EXPECT_EQ(evaluation.status, SampleStatus::kOk);
}

TEST(EvaluateBatchTest, LeavesOutTracesInWhichNothingCounts) {
  const auto dataset = Data();
  for (double& x : dataset->traces[1].targets[0]) x = kNaN;
  const Experiment experiment = Make(dataset);
  const auto result = EvaluateBatch(experiment, Points(1), 1);
  ASSERT_TRUE(result.ok());
  const Evaluation& e = (*result)[0];
  EXPECT_TRUE(std::isnan(e.trace_errors[1]));
  EXPECT_DOUBLE_EQ(e.output_errors[0],
                   (e.trace_errors[0] + 3 * e.trace_errors[2]) / 4);
}

TEST(EvaluateBatchTest, KeepsPointsWithoutANumber) {
  const Experiment experiment = Make(Data());
  std::vector<std::vector<double>> points = Points(3);
  const auto before = EvaluateBatch(experiment, points, 1);
  points[1] = {-1e6, 1e-3};  // grows without bound
  const auto result = EvaluateBatch(experiment, points, 1);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)[1].status, SampleStatus::kNonfinite);
  EXPECT_FALSE(std::isfinite((*result)[1].total_error));
  ExpectSame((*result)[0], (*before)[0]);
  ExpectSame((*result)[2], (*before)[2]);
}

TEST(EvaluateBatchTest, StopsWhenCancelled) {
  const Experiment experiment = Make(Data());
  std::atomic<int> asked = 0;
  const auto result =
      EvaluateBatch(experiment, Points(200), 3, [&] { return ++asked > 4; });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
}

TEST(EvaluateBatchTest, RefusesPointsOfTheWrongLength) {
  const Experiment experiment = Make(Data());
  const std::vector<std::vector<double>> points = {{1, 1e-3}, {1}};
  const auto result = EvaluateBatch(experiment, points, 1);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(EvaluateBatch(experiment, {}, 4)->empty());
}

TEST(MakeExperimentTest, SaysWhatIsWrong) {
  struct Case {
    std::vector<std::string> parameters;
    double dt;
    MetricSpec metric;
    const char* message;
  };
  const std::vector<std::string> ok = {"tau", "g"};
  for (const Case& c : std::vector<Case>{
           {{"tau"}, 1e-3, {"v", "", {}, {}}, "{tau}"},
           {{"tau", "g", "g"}, 1e-3, {"v", "", {}, {}}, "each of the model's"},
           {ok, 2e-3, {"v", "", {}, {}}, "sampled every 0.001"},
           {ok, 1e-3, {"u", "", {}, {}}, "no output \"u\""},
           {ok, 1e-3, {"v", "rmsd", {}, {}}, "there is no metric `rmsd`"},
           {ok, 1e-3, {"v", "mse", {{"x", "1"}}, {}}, "unknown option"},
           {ok, 1e-3, {"v", "mse", {{"t_start", "25*ms"}}, {}}, "trace 0"},
           {ok, 1e-3, {"v", "mse", {}, {1, 2}}, "has 2 numbers"},
       }) {
    const auto experiment =
        MakeExperiment(Source(), Data(), c.dt, c.parameters, {c.metric});
    EXPECT_EQ(experiment.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(experiment.status().message()),
                HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace somafit
