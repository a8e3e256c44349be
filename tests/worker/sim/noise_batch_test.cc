// What simulations draw: by which keys, and that nothing else matters.
#include <bit>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/sim/batch.h"
#include "worker/sim/experiment.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr size_t kSteps = 300;  // chunks of 128 and a rest

std::shared_ptr<Dataset> TwoTraces() {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"I", kNoDimension}};
  dataset->outputs = {{"x", kNoDimension}};
  for (int i = 0; i < 2; ++i) {
    Trace trace;
    trace.dt = 1e-4;
    trace.inputs = {std::vector<double>(kSteps, 0.0)};
    trace.targets = trace.inputs;
    dataset->traces.push_back(trace);
  }
  return dataset;
}

const ModelSource& Walks() {
  static const auto* const source = new ModelSource{
      "dx/dt = s*xi_1/sqrt(ms) + I/ms : 1\ndy/dt = s*xi_1/sqrt(ms) : 1\n"
      "dz/dt = xi_2/sqrt(ms) : 1\nu = rand() : 1 (constant over dt)\n"
      "w = randn() : 1 (constant over dt)\n"
      "k = poisson(3) : integer (constant over dt)\ns : 1",
      "euler",
      {},
      {{"x", "randn()"}, {"y", "x"}}};
  return *source;
}

std::vector<Recording> Record(const std::vector<std::string>& names,
                              size_t n_points, const RoundPlace& place,
                              int threads = 1,
                              const KernelSource& kernels = KernelFor) {
  const auto data = TwoTraces();
  const auto experiment =
      MakeRecordingExperiment(Walks(), data, 1e-4, {"s"}, names);
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<std::vector<double>> points(n_points, {2.0});
  const auto recordings = RecordBatch(experiment->program, *data, points,
                                      threads, {}, kernels, place);
  EXPECT_TRUE(recordings.ok()) << recordings.status();
  return *recordings;
}

// S05: one symbol is one noise, another is another; so are lanes and traces.
TEST(NoiseBatchTest, SymbolsAreProcesses) {
  const auto x = Record({"x"}, 3, {.seed = 1});
  EXPECT_EQ(x, Record({"y"}, 3, {.seed = 1}));
  EXPECT_NE(x, Record({"z"}, 3, {.seed = 1}));
  EXPECT_NE(x[0], x[1]);
  EXPECT_NE(std::vector<double>(x[0].begin(), x[0].begin() + kSteps),
            std::vector<double>(x[0].begin() + kSteps, x[0].end()));
  EXPECT_NE(x, Record({"x"}, 3, {.seed = 2}));
}

TEST(NoiseBatchTest, APointsNoiseDependsOnItsNumberAlone) {
  const std::vector<std::string> names = {"x", "u", "w", "k"};
  const RoundPlace place = {.seed = 7, .first_sample = 1000};
  const auto all = Record(names, 37, place);
  EXPECT_EQ(all, Record(names, 37, place, 3));
  EXPECT_EQ(all, Record(names, 37, place, 1, InterpretingKernel));
  for (const size_t first : {1u, 8u, 30u}) {
    RoundPlace part = place;
    part.first_sample += static_cast<int64_t>(first);
    const auto some = Record(names, 7, part);
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_EQ(some[i], all[first + i]) << first << " " << i;
    }
  }
  // What else is recorded changes nothing.
  const auto alone = Record({"k"}, 37, place);
  for (size_t i = 0; i < alone.size(); ++i) {
    for (size_t step = 0; step < kSteps; ++step) {
      EXPECT_EQ(alone[i][step], all[i][3 * kSteps + step]);
    }
  }
}

TEST(NoiseBatchTest, DrawsAreWhatTheySay) {
  const auto drawn = Record({"x", "u", "w", "k"}, 200, {.seed = 3});
  double u = 0, w = 0, w2 = 0, k = 0, steps = 0, steps2 = 0;
  const double n = 200.0 * kSteps;
  for (const Recording& each : drawn) {
    for (size_t step = 0; step < kSteps; ++step) {
      u += each[kSteps + step] / n;
      EXPECT_GE(each[kSteps + step], 0);
      EXPECT_LT(each[kSteps + step], 1);
      w += each[2 * kSteps + step] / n;
      w2 += std::pow(each[2 * kSteps + step], 2) / n;
      k += each[3 * kSteps + step] / n;
      if (step == 0) continue;
      const double moved = each[step] - each[step - 1];
      steps += moved / n;
      steps2 += moved * moved / n;
    }
  }
  const double error = 4 / std::sqrt(n);
  EXPECT_NEAR(u, 0.5, error);
  EXPECT_NEAR(w, 0, error);
  EXPECT_NEAR(w2, 1, 2 * error);
  EXPECT_NEAR(k, 3, 2 * error);
  EXPECT_NEAR(steps, 0, error);
  // s^2 h / ms
  EXPECT_NEAR(steps2, 0.4, error);
}

TEST(NoiseBatchTest, ErrorsAreThoseOfTheRecordedPath) {
  const auto data = TwoTraces();
  const auto experiment = MakeExperiment(Walks(), data, 1e-4, {"s"}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<std::vector<double>> points(5, {2.0});
  const RoundPlace place = {.seed = 11, .first_sample = 50};
  const auto evaluations =
      EvaluateBatch(*experiment, points, 2, {}, KernelFor, place);
  ASSERT_TRUE(evaluations.ok()) << evaluations.status();
  const auto paths = Record({"x"}, 5, place);
  for (size_t i = 0; i < points.size(); ++i) {
    double sum = 0;
    for (const double x : paths[i]) sum += x * x;
    EXPECT_NEAR((*evaluations)[i].total_error,
                sum / static_cast<double>(paths[i].size()), 1e-12 * sum);
  }
}

// Found again by the interpreter, with the noise of that lane.
TEST(NoiseBatchTest, SaysWhereANoisySimulationDiverged) {
  const ModelSource model = {
      "dx/dt = x**3*xi/sqrt(ms) + I/ms : 1\ns : 1", "heun", {}, {{"x", "s"}}};
  const auto data = TwoTraces();
  const auto experiment = MakeExperiment(model, data, 1e-4, {"s"}, {});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<std::vector<double>> points(20, {3.0});
  for (const auto& kernels :
       {KernelSource(KernelFor), KernelSource(InterpretingKernel)}) {
    const auto evaluations =
        EvaluateBatch(*experiment, points, 1, {}, kernels, {.seed = 5});
    ASSERT_TRUE(evaluations.ok()) << evaluations.status();
    std::vector<std::string> reasons;
    for (const Evaluation& evaluation : *evaluations) {
      reasons.push_back(evaluation.reason);
    }
    EXPECT_THAT(reasons, ::testing::Contains(HasSubstr("x is not within")));
    static std::vector<std::string> first = reasons;
    EXPECT_EQ(reasons, first);
  }
}

TEST(SpikeRecordingTest, SpikesAreAnOutput) {
  const auto data = TwoTraces();
  ModelSource model = {"dx/dt = s*kHz + 0*I*kHz : 1\ns : 1", "euler", {}, {}};
  model.threshold = "x > 0.95";
  model.reset = "x = 0";
  const auto experiment =
      MakeRecordingExperiment(model, data, 1e-4, {"s"}, {"spikes", "x"});
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  const auto recordings = RecordBatch(
      experiment->program, *data, std::vector<std::vector<double>>{{1.0}}, 1);
  ASSERT_TRUE(recordings.ok());
  for (size_t step = 0; step < kSteps; ++step) {
    EXPECT_EQ((*recordings)[0][step], step % 10 == 9 ? 1 : 0) << step;
  }
  model.threshold = std::string();
  model.reset.reset();
  EXPECT_THAT(
      std::string(MakeRecordingExperiment(model, data, 1e-4, {"s"}, {"spikes"})
                      .status()
                      .message()),
      HasSubstr("spikes"));
}

}  // namespace
}  // namespace somafit
