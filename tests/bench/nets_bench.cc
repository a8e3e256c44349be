// How fast estimators train and draw, on one thread.

#include <cstdlib>

#include <benchmark/benchmark.h>

#include "server/inference/device.h"
#include "server/inference/training.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

struct Rows {
  std::vector<double> theta, x, log_prior;
  TrainingData data() const {
    TrainingData data;
    data.theta = theta;
    data.x = x;
    data.log_prior = log_prior;
    return data;
  }
};

Rows MakeRows(size_t n, size_t d, size_t e) {
  Rows rows;
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  for (size_t i = 0; i < n * d; ++i) rows.theta.push_back(random.Normal());
  for (size_t i = 0; i < n; ++i) {
    for (size_t c = 0; c < e; ++c) {
      rows.x.push_back(rows.theta[i * d + c % d] + random.Normal());
    }
  }
  rows.log_prior.assign(n, 0);
  return rows;
}

EstimatorSpec MakeSpec(const char* net, size_t d, size_t e) {
  EstimatorSpec spec = DefaultEstimatorSpec(net);
  const double inf = std::numeric_limits<double>::infinity();
  spec.support.assign(d, {-inf, inf});
  spec.x_shape = {static_cast<int64_t>(e)};
  return spec;
}

TrainingResult MustTrain(const EstimatorSpec& spec,
                         const TrainingOptions& options,
                         const TrainingData& data, const TrainingLoss& loss) {
  auto result = Train(spec, options, data, loss);
  if (!result.ok()) std::abort();
  return *std::move(result);
}

// An epoch of 2222 rows, 10 batches of 200 rows, validation of both sets of
// weights included: theta 5, x 10.
void Epoch(benchmark::State& state, const char* net, TrainingLoss::Kind kind) {
  const Rows rows = MakeRows(2222, 5, 10);
  const EstimatorSpec spec = MakeSpec(net, 5, 10);
  TrainingLoss loss;
  loss.kind = kind;
  double seconds = 0;
  int64_t epochs = 0;
  for (auto _ : state) {
    const auto summary =
        MustTrain(spec, {.max_num_epochs = 6}, rows.data(), loss).summary;
    // The first epoch warms caches.
    for (size_t i = 1; i < summary.seconds.size(); ++i, ++epochs) {
      seconds += summary.seconds[i];
    }
  }
  const double per_epoch = seconds / static_cast<double>(epochs);
  state.counters["ms_per_epoch"] = 1e3 * per_epoch;
  state.counters["ms_per_step"] = 1e3 * per_epoch / 10;
}

// 10 000 draws under one x.
void Draw(benchmark::State& state, const char* net) {
  const auto d = static_cast<size_t>(state.range(0));
  const Rows rows = MakeRows(500, d, 10);
  const auto estimator =
      MustTrain(MakeSpec(net, d, 10), {.max_num_epochs = 1}, rows.data(), {})
          .estimator;
  const std::vector<double> x(10, 0.1);
  std::vector<double> theta(10'000 * d), log_density(10'000);
  for (auto _ : state) {
    estimator->Sample(x, {1, 2}, 0, theta, log_density);
    benchmark::DoNotOptimize(theta.data());
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}

void Density(benchmark::State& state, const char* net) {
  const auto d = static_cast<size_t>(state.range(0));
  const Rows rows = MakeRows(10'000, d, 10);
  const auto estimator =
      MustTrain(MakeSpec(net, d, 10), {.max_num_epochs = 1}, rows.data(), {})
          .estimator;
  const std::vector<double> x(10, 0.1);
  std::vector<double> log_density(10'000);
  for (auto _ : state) {
    estimator->LogDensity(rows.theta, x, log_density);
    benchmark::DoNotOptimize(log_density.data());
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}

void MatrixSpeed(benchmark::State& state) {
  double speed = 0;
  for (auto _ : state) speed = MeasureMatrixSpeed();
  state.counters["GFlop/s"] = speed;
}

constexpr auto kPlain = TrainingLoss::Kind::kMaximumLikelihood;
constexpr auto kAtomic = TrainingLoss::Kind::kAtomic;

BENCHMARK(MatrixSpeed)->Iterations(3);
BENCHMARK_CAPTURE(Epoch, mdn, "mdn", kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Epoch, made, "made", kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Epoch, maf, "maf", kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Epoch, nsf, "nsf", kPlain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Epoch, maf_atomic, "maf", kAtomic)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Draw, mdn, "mdn")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Draw, made, "made")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Draw, maf, "maf")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Draw, nsf, "nsf")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Density, maf, "maf")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Density, nsf, "nsf")
    ->Arg(2)
    ->Arg(10)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace somafit

BENCHMARK_MAIN();
