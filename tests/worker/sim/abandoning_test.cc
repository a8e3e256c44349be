// Samples whose error is sure to be of no use: what is recorded of them is the
// same whatever is simulated beside them, and the time is saved.
#include "worker/sim/abandoning.h"

#include <atomic>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/core/base/random.h"
#include "worker/sim/batch.h"

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Traces of several chunks, different length and weight; noise, and i in the
// equations, so that a lane that moved would show.
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
    for (size_t k = 0; k < 300 + 400 * i; ++k) {
      trace.inputs[0].push_back(random.Uniform());
      trace.targets[0].push_back(0.3 * random.Uniform());
      trace.targets[1].push_back(k % 3 == 0 || i == 1 ? kNaN
                                                      : random.Uniform());
    }
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

Experiment Make(std::vector<MetricSpec> metrics = {},
                const std::string& penalty = "") {
  auto experiment = MakeExperiment(
      {"dv/dt = (I - g*v + 1e-3*(i % 7))/tau + 0.1*xi/second**0.5 : 1\n"
       "w = 2*v : 1\ntau : second\ng : 1",
       "euler",
       {},
       {{"v", "g"}}},
      Data(), 1e-3, {"g", "tau"}, std::move(metrics), penalty);
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  return *std::move(experiment);
}

void ExpectSame(const Evaluation& a, const Evaluation& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_TRUE(SameBits({&a.total_error, 1}, {&b.total_error, 1}));
  EXPECT_TRUE(SameBits(a.output_errors, b.output_errors));
  EXPECT_TRUE(SameBits(a.output_errors_normalized, b.output_errors_normalized));
  EXPECT_TRUE(SameBits(a.trace_errors, b.trace_errors));
}

// Hands calls on, and counts steps.
class CountingKernel final : public Kernel {
 public:
  CountingKernel(std::shared_ptr<const Kernel> kernel,
                 std::atomic<int64_t>& steps)
      : kernel_(std::move(kernel)), steps_(steps) {}
  int width() const override { return kernel_->width(); }
  void Start(const double* parameters, double* states,
             const double* noise) const override {
    kernel_->Start(parameters, states, noise);
  }
  void Run(const KernelCall& call) const override {
    steps_ += (call.end - call.begin) * width();
    kernel_->Run(call);
  }

 private:
  const std::shared_ptr<const Kernel> kernel_;
  std::atomic<int64_t>& steps_;
};

KernelSource Counting(std::atomic<int64_t>& steps) {
  return [&steps](
             const Program& program, KernelVariant variant,
             size_t n_points) -> absl::StatusOr<std::shared_ptr<const Kernel>> {
    auto kernel = KernelFor(program, variant, n_points);
    if (!kernel.ok()) return kernel.status();
    return std::make_shared<CountingKernel>(*std::move(kernel), steps);
  };
}

MetricSpec Of(std::string output, std::string metric) {
  MetricSpec spec;
  spec.output = std::move(output);
  spec.metric = std::move(metric);
  return spec;
}

// A limit for each point: none, one that its error keeps to the bit, one that
// it does not keep by a little, and ones that it breaks early.
std::vector<double> LimitsFor(const std::vector<Evaluation>& full) {
  std::vector<double> limits;
  for (size_t i = 0; i < full.size(); ++i) {
    const double error = full[i].total_error;
    const double choices[] = {kInfinity, error, std::nextafter(error, 0.0),
                              0.7 * error, 0.01 * error};
    limits.push_back(choices[i % 5]);
  }
  return limits;
}

TEST(AbandoningTest, AbandonsWhatIsAboveItsLimitAndChangesNothingElse) {
  for (const auto& metrics : std::vector<std::vector<MetricSpec>>{
           {}, {Of("v", "rmse"), Of("w", "rmse")}}) {
    const Experiment experiment = Make(metrics);
    const auto points = Points(71);
    const RoundPlace place = {
        .seed = 3, .first_sample = 100, .first_in_round = 5, .n_in_round = 90};
    const auto full =
        EvaluateBatch(experiment, points, 1, {}, KernelFor, place);
    ASSERT_TRUE(full.ok());
    const std::vector<double> limits = LimitsFor(*full);
    for (const KernelSource& kernels :
         {KernelSource(KernelFor), KernelSource(InterpretingKernel)}) {
      for (const int threads : {1, 3}) {
        const auto result = EvaluateBatch(experiment, points, threads, {},
                                          kernels, place, limits);
        ASSERT_TRUE(result.ok()) << result.status();
        for (size_t i = 0; i < points.size(); ++i) {
          SCOPED_TRACE(i);
          if ((*full)[i].total_error <= limits[i]) {
            ExpectSame((*result)[i], (*full)[i]);
            continue;
          }
          EXPECT_EQ((*result)[i].status, SampleStatus::kAbandoned);
          EXPECT_TRUE(std::isnan((*result)[i].total_error));
          EXPECT_EQ((*result)[i].output_errors.size(), 2u);
          EXPECT_EQ((*result)[i].trace_errors.size(), 6u);
        }
      }
    }
  }
}

TEST(AbandoningTest, AnOutcomeDependsOnItsPointAndLimitAlone) {
  // Points beyond 2/h diverge, some of them after they broke their limits.
  const Experiment experiment = Make();
  auto points = Points(60);
  for (size_t i = 0; i < points.size(); i += 4) {
    points[i] = {3.0 + static_cast<double>(i) / 40, 1e-3};
  }
  const auto at = [](size_t first) {
    return RoundPlace{.seed = 3,
                      .first_sample = static_cast<int64_t>(first),
                      .first_in_round = static_cast<int64_t>(first),
                      .n_in_round = 60};
  };
  const auto full = EvaluateBatch(experiment, points, 1, {}, KernelFor, at(0));
  ASSERT_TRUE(full.ok());
  std::vector<double> limits = LimitsFor(*full);
  for (size_t i = 0; i < limits.size(); i += 4) {
    limits[i] = i % 3 == 0 ? 1.0 : 1e30;
  }
  const auto all =
      EvaluateBatch(experiment, points, 1, {}, KernelFor, at(0), limits);
  ASSERT_TRUE(all.ok());
  std::map<SampleStatus, int> seen;
  for (const Evaluation& one : *all) ++seen[one.status];
  EXPECT_GT(seen[SampleStatus::kOk], 5);
  EXPECT_GT(seen[SampleStatus::kAbandoned], 5);
  EXPECT_GT(seen[SampleStatus::kNonfinite], 2);
  for (const size_t cut : {1, 5, 17, 33}) {
    for (size_t first = 0; first < points.size(); first += cut) {
      const size_t n = std::min(cut, points.size() - first);
      const auto part = EvaluateBatch(
          experiment, std::span(points).subspan(first, n), 2, {}, KernelFor,
          at(first), std::span(limits).subspan(first, n));
      ASSERT_TRUE(part.ok());
      for (size_t i = 0; i < n; ++i) {
        SCOPED_TRACE(first + i);
        ExpectSame((*part)[i], (*all)[first + i]);
      }
    }
  }
}

TEST(AbandoningTest, SavesTheWorkAndNotOnlyTheLane) {
  const Experiment experiment = Make();
  const auto points = Points(64);
  const auto full = EvaluateBatch(experiment, points, 1);
  ASSERT_TRUE(full.ok());
  // Every fourth goes on to the end, the others end in their first chunk.
  std::vector<double> limits(points.size(), 0.0);
  for (size_t i = 0; i < limits.size(); i += 4) limits[i] = kInfinity;
  std::atomic<int64_t> all_steps = 0, steps = 0;
  ASSERT_TRUE(
      EvaluateBatch(experiment, points, 1, {}, Counting(all_steps)).ok());
  ASSERT_TRUE(
      EvaluateBatch(experiment, points, 1, {}, Counting(steps), {}, limits)
          .ok());
  // One chunk of 2100 steps for all, the rest for a quarter.
  EXPECT_LT(static_cast<double>(steps), 0.35 * static_cast<double>(all_steps));
}

TEST(AbandoningTest, RefusesErrorsThatMayBecomeSmaller) {
  const auto points = Points(3);
  const std::vector<double> limits(3, 1.0);
  const auto run = [&](const Experiment& experiment,
                       std::span<const double> given) {
    return EvaluateBatch(experiment, points, 1, {}, KernelFor, {}, given)
        .status();
  };
  EXPECT_EQ(run(Make({Of("v", "correlation")}), limits).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(run(Make({}, "v"), limits).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(run(Make(), std::span(limits).first(2)).code(),
            absl::StatusCode::kInvalidArgument);
  // Limits that say nothing do no harm.
  const std::vector<double> none(3, kInfinity);
  EXPECT_TRUE(run(Make({}, "v"), none).ok());
}

TEST(AbandoningTest, StopsWhenCancelled) {
  const Experiment experiment = Make();
  const std::vector<double> limits(200, 1e30);
  std::atomic<int> asked = 0;
  const auto result = EvaluateBatch(
      experiment, Points(200), 3, [&] { return ++asked > 4; }, KernelFor, {},
      limits);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace somafit
