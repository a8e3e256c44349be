// How fast kernels run, and how near to what the processor can do: million
// neuron-steps a second of CPU time, beside the least time that the step's
// arithmetic needs at the throughput measured here.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include <benchmark/benchmark.h>

#include "tests/bench/peaks.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/program.h"
#include "worker/core/units/unit.h"
#include "worker/jit/kernel.h"
#include "worker/sim/batch.h"
#include "worker/sim/experiment.h"

namespace somafit {
namespace {

constexpr size_t kSteps = 1497;

// The published Hodgkin-Huxley model, its rates with exponentials.
ModelSource HodgkinHuxley() {
  return {
      "dv/dt = (gl*(El-v) - g_na*(m*m*m)*h*(v-ENa) - g_kd*(n*n*n*n)*(v-EK) + "
      "I)/Cm : volt\n"
      "dm/dt = 0.32*(mV**-1)*(13*mV-v+VT)/(exp((13*mV-v+VT)/(4*mV))-1)/ms*"
      "(1-m) - 0.28*(mV**-1)*(v-VT-40*mV)/(exp((v-VT-40*mV)/(5*mV))-1)/ms*m "
      ": 1\n"
      "dn/dt = 0.032*(mV**-1)*(15*mV-v+VT)/(exp((15*mV-v+VT)/(5*mV))-1)/ms*"
      "(1-n) - 0.5*exp((10*mV-v+VT)/(40*mV))/ms*n : 1\n"
      "dh/dt = 0.128*exp((17*mV-v+VT)/(18*mV))/ms*(1-h) - "
      "4/(1+exp((40*mV-v+VT)/(5*mV)))/ms*h : 1\n"
      "g_na : siemens\ng_kd : siemens\ngl : siemens\nCm : farad",
      "exponential_euler",
      {{"El", "-65*mV"}, {"EK", "-90*mV"}, {"ENa", "50*mV"}, {"VT", "-63*mV"}},
      {{"v", "VT"}}};
}

ModelSource IntegrateAndFireBelowThreshold() {
  return {"dv/dt = (R*I - v)/tau : volt\nR : ohm\ntau : second",
          "exponential_euler",
          {},
          {{"v", "0*mV"}}};
}

struct Model {
  ModelSource source;
  std::vector<std::string> parameters;
  std::vector<std::pair<double, double>> bounds;
};

const Model& Hh() {
  static const auto* const model =
      new Model{HodgkinHuxley(),
                {"gl", "g_na", "g_kd", "Cm"},
                {{1e-8, 1e-7}, {2e-6, 2e-4}, {6e-7, 6e-5}, {1e-10, 3e-10}}};
  return *model;
}
const Model& Passive() {
  static const auto* const model = new Model{IntegrateAndFireBelowThreshold(),
                                             {"R", "tau"},
                                             {{1e7, 1e8}, {5e-3, 5e-2}}};
  return *model;
}

std::shared_ptr<const Dataset> MakeData(size_t n_traces) {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"I", FindUnit("amp")->dimension}};
  dataset->outputs = {{"v", FindUnit("volt")->dimension}};
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  for (size_t i = 0; i < n_traces; ++i) {
    Trace trace;
    trace.dt = 1e-5;
    trace.inputs.resize(1);
    trace.targets.resize(1);
    for (size_t k = 0; k < kSteps; ++k) {
      trace.inputs[0].push_back(k > 200 ? 1e-10 * static_cast<double>(i + 1)
                                        : 0);
      trace.targets[0].push_back(-0.065 + 1e-3 * random.Uniform());
    }
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

Experiment Make(const Model& model, size_t n_traces) {
  auto experiment = MakeExperiment(model.source, MakeData(n_traces), 1e-5,
                                   model.parameters, {});
  if (!experiment.ok()) {
    std::fprintf(stderr, "%s\n", experiment.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(experiment);
}

std::vector<std::vector<double>> Points(const Model& model, size_t n) {
  RandomStream random(2, StreamPurpose::kExample, 0, 0);
  std::vector<std::vector<double>> points(n);
  for (auto& point : points) {
    for (const auto& [low, high] : model.bounds) {
      point.push_back(low + (high - low) * random.Uniform());
    }
  }
  return points;
}

// What a step computes: multiplications, fused or not; what else keeps an
// arithmetic port (additions, comparisons, integer arithmetic); divisions.
struct Work {
  double multiplications = 0, others = 0, divisions = 0;

  void Add(const Work& work) {
    multiplications += work.multiplications;
    others += work.others;
    divisions += work.divisions;
  }
};

// An exponential: reduction 3, polynomial 10, mantissa 2, scaling 1; two bounds
// and a rounding. exprel: where its argument is near, whatever it is.
constexpr Work kExponential = {16, 3, 0};
constexpr Work kNearExprel = {11, 1, 0};
constexpr Work kExpm1 = {21, 9, 0};  // also what tanh and the like contain

Work WorkOf(const Program& program) {
  const std::vector<Rate> rates = Rates(program);
  Work work = {2, 1, 0};  // the error
  for (size_t i = 0; i < program.values.size(); ++i) {
    if (rates[i] != Rate::kPerStep) continue;
    switch (program.values[i].op) {
      case Op::kMultiply:
      case Op::kFma:
        ++work.multiplications;
        break;
      case Op::kAdd:
      case Op::kSubtract:
        ++work.others;
        break;
      case Op::kDivide:
        ++work.divisions;
        break;
      case Op::kExp:
        work.Add(kExponential);
        break;
      case Op::kExprel:
        work.Add(kNearExprel);
        break;
      case Op::kBernoulli:
        ++work.divisions;
        [[fallthrough]];
      case Op::kExpm1:
        work.Add(kExpm1);
        break;
      default:
        break;
    }
  }
  return work;
}

// Of the traces that MakeData makes.
constexpr int kQuiet = 0, kSpike = 2;

// A kernel with all that it needs to run on one trace.
class Runner {
 public:
  Runner(const Model& model, Isa isa, int width, int trace_index)
      : experiment_(Make(model, 5)),
        trace_(experiment_.dataset->traces[static_cast<size_t>(trace_index)]),
        ones_(kSteps, 1.0),
        inputs_(trace_.inputs[0].data()),
        targets_(trace_.targets[0].data()),
        weights_(ones_.data()) {
    auto kernel =
        CompileKernel(experiment_.program, {.isa = isa, .width = width});
    if (!kernel.ok()) {
      std::fprintf(stderr, "%s\n", kernel.status().ToString().c_str());
      std::exit(1);
    }
    kernel_ = *std::move(kernel);
    const auto points = Points(model, static_cast<size_t>(width));
    for (size_t p = 0; p < model.parameters.size(); ++p) {
      for (const auto& point : points) parameters_.push_back(point[p]);
    }
    states_.resize(experiment_.program.states.size() * points.size());
    sums_.resize(points.size());
    call_.n_steps = static_cast<int64_t>(kSteps);
    call_.parameters = parameters_.data();
    call_.states = states_.data();
    call_.inputs = &inputs_;
    call_.targets = &targets_;
    call_.weights = &weights_;
    call_.sums = sums_.data();
  }

  void Run() {
    kernel_->Start(parameters_.data(), states_.data());
    for (size_t begin = 0; begin < kSteps; begin += 128) {
      call_.begin = static_cast<int64_t>(begin);
      call_.end = static_cast<int64_t>(std::min(kSteps, begin + 128));
      kernel_->Run(call_);
    }
    benchmark::DoNotOptimize(sums_.data());
  }

  const Program& program() const { return experiment_.program; }
  double steps() const { return static_cast<double>(kSteps * sums_.size()); }

 private:
  Experiment experiment_;
  const Trace& trace_;
  std::vector<double> ones_, parameters_, states_, sums_;
  const double *inputs_, *targets_, *weights_;
  std::shared_ptr<const Kernel> kernel_;
  KernelCall call_;
};

void RunKernelBenchmark(benchmark::State& state, const Model& model, Isa isa,
                        int width, int trace_index) {
  Runner runner(model, isa, width, trace_index);
  for (auto _ : state) runner.Run();
  state.counters["M/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * runner.steps() * 1e-6,
      benchmark::Counter::kIsRate);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

// What a shared machine gives changes within a second: so peaks and kernel are
// measured in turn, a few milliseconds each, and compared pair by pair.
void PrintRooflines() {
  std::printf(
      "| Hodgkin-Huxley | lanes | FMA, GFlop/s | an addition, a division, in "
      "FMAs | roofline, M/s | kernel, M/s | share | of multiplications alone "
      "|\n|---|---|---|---|---|---|---|---|\n");
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx2}) {
    if (!Supports(isa)) continue;
    for (const int trace : {kQuiet, kSpike}) {
      const int width = isa == Isa::kAvx512 ? 16 : 8;
      Runner runner(Hh(), isa, width, trace);
      const Work work = WorkOf(runner.program());
      std::vector<double> fmas, additions, divisions, rooflines, rates, shares,
          shares_alone;
      for (int i = 0; i < 101; ++i) {
        const Peaks peaks = MeasurePeaks(isa);
        const double begin = CpuSeconds();
        constexpr int kRuns = 10;
        for (int run = 0; run < kRuns; ++run) runner.Run();
        const double step_s = (CpuSeconds() - begin) / (kRuns * runner.steps());
        const double multiplications_s = work.multiplications * peaks.fma_s;
        const double divider_s = work.divisions * peaks.divider_s;
        const double least_s = std::max(
            divider_s, multiplications_s + work.others * peaks.addition_s +
                           work.divisions * peaks.division_s);
        fmas.push_back(2e-9 / peaks.fma_s);
        additions.push_back(peaks.addition_s / peaks.fma_s);
        divisions.push_back(peaks.division_s / peaks.fma_s);
        rooflines.push_back(1e-6 / least_s);
        rates.push_back(1e-6 / step_s);
        shares.push_back(least_s / step_s);
        shares_alone.push_back(std::max(divider_s, multiplications_s) / step_s);
      }
      std::printf(
          "| %s, %s | %d | %.1f | %.2f, %.2f | %.0f | %.1f | %.0f%% | %.0f%% "
          "|\n",
          std::string(IsaName(isa)).c_str(),
          trace == kQuiet ? "no spike" : "a spike", width, Median(fmas),
          Median(additions), Median(divisions), Median(rooflines),
          Median(rates), 100 * Median(shares), 100 * Median(shares_alone));
    }
  }
  std::fflush(stdout);
}

double Seconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// How much more two threads do in the same time: arithmetic that touches no
// memory, which tells what the machine gives, and batches; in turn.
void PrintThreads() {
  const Experiment experiment = Make(Hh(), 5);
  const auto points = Points(Hh(), 5000);
  const auto arithmetic = [](int threads) {
    const double begin = Seconds();
    std::vector<std::thread> pool;
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([] {
        for (int run = 0; run < 100; ++run) MeasurePeaks(BestIsa());
      });
    }
    for (std::thread& thread : pool) thread.join();
    return threads / (Seconds() - begin);
  };
  const auto batch = [&](int threads) {
    const double begin = Seconds();
    benchmark::DoNotOptimize(EvaluateBatch(experiment, points, threads).ok());
    return 1 / (Seconds() - begin);
  };
  (void)batch(1);  // compiles
  std::vector<double> machine, batches, shares;
  for (int i = 0; i < 21; ++i) {
    // A slow second counts for one and for two.
    const double one = arithmetic(1), one_batch = batch(1);
    const double two = arithmetic(2), two_batches = batch(2);
    const double again = arithmetic(1), again_batch = batch(1);
    machine.push_back(2 * two / (one + again));
    batches.push_back(2 * two_batches / (one_batch + again_batch));
    shares.push_back(batches.back() / machine.back());
  }
  std::printf(
      "\n| two threads | of arithmetic alone | of a batch | share |\n"
      "|---|---|---|---|\n| median of %zu | %.2f | %.2f | %.0f%% |\n",
      shares.size(), Median(machine), Median(batches), 100 * Median(shares));
  std::fflush(stdout);
}

void CompileBenchmark(benchmark::State& state) {
  const Experiment experiment = Make(Hh(), 1);
  for (auto _ : state) {
    const auto kernel = CompileKernel(
        experiment.program, {.width = static_cast<int>(state.range(0))});
    benchmark::DoNotOptimize(kernel.ok());
  }
}

void BatchBenchmark(benchmark::State& state) {
  const Experiment experiment = Make(Hh(), 5);
  const auto points = Points(Hh(), static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const auto results =
        EvaluateBatch(experiment, points, static_cast<int>(state.range(1)));
    benchmark::DoNotOptimize(results.ok());
  }
  state.counters["M/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 5e-6 *
                             static_cast<double>(kSteps * points.size()),
                         benchmark::Counter::kIsRate);
}

void Register() {
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx2}) {
    if (!Supports(isa)) continue;
    struct Case {
      const char* name;
      const Model* model;
      int trace;
    };
    for (const Case& c : {Case{"hodgkin_huxley/spike", &Hh(), kSpike},
                          Case{"hodgkin_huxley/quiet", &Hh(), kQuiet},
                          Case{"passive", &Passive(), kSpike}}) {
      for (const int width : {4, 8, 16, 32}) {
        benchmark::RegisterBenchmark(
            absl::StrCat(c.name, "/", std::string(IsaName(isa)), "/", width)
                .c_str(),
            [c, isa, width](benchmark::State& state) {
              RunKernelBenchmark(state, *c.model, isa, width, c.trace);
            });
      }
    }
  }
  benchmark::RegisterBenchmark("compile", &CompileBenchmark)
      ->Arg(4)
      ->Arg(8)
      ->Arg(16)
      ->Unit(benchmark::kMillisecond);
  // Samples, threads; wall time is what threads save.
  benchmark::RegisterBenchmark("batch", &BatchBenchmark)
      ->Args({5000, 1})
      ->Args({5000, 2})
      ->MeasureProcessCPUTime()
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string filter = benchmark::GetBenchmarkFilter();
  if (filter.empty() || filter == "all") {
    somafit::PrintRooflines();
    somafit::PrintThreads();
  }
  somafit::Register();
  benchmark::RunSpecifiedBenchmarks();
}
