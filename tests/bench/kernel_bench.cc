// How fast kernels run, and how near to what the processor can do: million
// neuron-steps a second of CPU time, beside the least time that the step's
// arithmetic needs at the throughput measured here.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <immintrin.h>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <benchmark/benchmark.h>

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

// Independent operations in registers: operations a second on vectors of 8.
__attribute__((target("avx512f"))) double Fma512(int64_t n) {
  __m512d x[12];
  for (int i = 0; i < 12; ++i) x[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm512_fmadd_pd(v, a, b);
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double Fma256(int64_t n) {
  __m256d x[12];
  for (int i = 0; i < 12; ++i) x[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm256_fmadd_pd(v, a, b);
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}
// Additions beside as many multiplications: free on processors on which they
// have ports of their own.
__attribute__((target("avx512f"))) double FmaAndAdd512(int64_t n) {
  __m512d x[10], y[10];
  for (int i = 0; i < 10; ++i) x[i] = y[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (int i = 0; i < 10; ++i) {
      x[i] = _mm512_fmadd_pd(x[i], a, b);
      y[i] = _mm512_add_pd(y[i], b);
    }
  }
  for (int i = 0; i < 10; ++i) x[0] = _mm512_add_pd(x[0], x[i] + y[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double FmaAndAdd256(int64_t n) {
  __m256d x[6], y[6];
  for (int i = 0; i < 6; ++i) x[i] = y[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (int i = 0; i < 6; ++i) {
      x[i] = _mm256_fmadd_pd(x[i], a, b);
      y[i] = _mm256_add_pd(y[i], b);
    }
  }
  for (int i = 0; i < 6; ++i) x[0] = _mm256_add_pd(x[0], x[i] + y[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}
__attribute__((target("avx512f"))) double Divide512(int64_t n) {
  __m512d x[8];
  for (int i = 0; i < 8; ++i) x[i] = _mm512_set1_pd(1 + i);
  const __m512d a = _mm512_set1_pd(1.001);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm512_div_pd(v, a);
  }
  for (int i = 1; i < 8; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double Divide256(int64_t n) {
  __m256d x[8];
  for (int i = 0; i < 8; ++i) x[i] = _mm256_set1_pd(1 + i);
  const __m256d a = _mm256_set1_pd(1.001);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& v : x) v = _mm256_div_pd(v, a);
  }
  for (int i = 1; i < 8; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}

// A division beside every 24 multiplications: what it keeps of their ports.
__attribute__((target("avx512f"))) double FmaAndDivide512(int64_t n) {
  __m512d x[12], y[4];
  for (int i = 0; i < 12; ++i) x[i] = _mm512_set1_pd(1 + i);
  for (auto& v : y) v = _mm512_set1_pd(3);
  const __m512d a = _mm512_set1_pd(0.999), b = _mm512_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& quotient : y) {
      for (int times = 0; times < 2; ++times) {
        for (auto& v : x) v = _mm512_fmadd_pd(v, a, b);
      }
      quotient = _mm512_div_pd(quotient, a);
    }
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm512_add_pd(x[0], x[i]);
  for (const auto& v : y) x[0] = _mm512_add_pd(x[0], v);
  double sum[8];
  _mm512_storeu_pd(sum, x[0]);
  return sum[0] + sum[7];
}
double FmaAndDivide256(int64_t n) {
  __m256d x[12], y[2];
  for (int i = 0; i < 12; ++i) x[i] = _mm256_set1_pd(1 + i);
  for (auto& v : y) v = _mm256_set1_pd(3);
  const __m256d a = _mm256_set1_pd(0.999), b = _mm256_set1_pd(1e-3);
  for (int64_t k = 0; k < n; ++k) {
    for (auto& quotient : y) {
      for (int times = 0; times < 2; ++times) {
        for (auto& v : x) v = _mm256_fmadd_pd(v, a, b);
      }
      quotient = _mm256_div_pd(quotient, a);
    }
  }
  for (int i = 1; i < 12; ++i) x[0] = _mm256_add_pd(x[0], x[i]);
  for (const auto& v : y) x[0] = _mm256_add_pd(x[0], v);
  return x[0][0] + x[0][1] + x[0][2] + x[0][3];
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds that one number of one operation takes, at best.
double SecondsEach(double (*run)(int64_t), int64_t n, double numbers) {
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    const double begin = CpuSeconds();
    benchmark::DoNotOptimize(run(n));
    best = std::min(best, CpuSeconds() - begin);
  }
  return best / (static_cast<double>(n) * numbers);
}

struct Peaks {
  // A number's, as far as they add up: of independent multiplications; what an
  // addition or a division beside them costs more.
  double fma_s, addition_s, division_s;
  double divider_s;  // of divisions alone, which overlap with the others
};

// Anew for every benchmark, since what a shared machine gives changes.
Peaks MeasurePeaks(Isa isa) {
  const auto measure = [](auto fma, auto add, auto pairs, auto mixed,
                          int divisions, auto divide, double lanes) -> Peaks {
    const double fma_s = SecondsEach(fma, 1'000'000, 12 * lanes);
    const double pair_s = SecondsEach(add, 1'000'000, pairs * lanes);
    const double mixed_s = SecondsEach(mixed, 100'000, divisions * lanes);
    return {fma_s, std::max(0.0, pair_s - fma_s),
            std::max(0.0, mixed_s - 24 * fma_s),
            SecondsEach(divide, 200'000, 8 * lanes)};
  };
  return isa == Isa::kAvx512 ? measure(&Fma512, &FmaAndAdd512, 10,
                                       &FmaAndDivide512, 4, &Divide512, 8)
                             : measure(&Fma256, &FmaAndAdd256, 6,
                                       &FmaAndDivide256, 2, &Divide256, 4);
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

void RunKernelBenchmark(benchmark::State& state, const Model& model, Isa isa,
                        int width, int trace_index) {
  const Experiment experiment = Make(model, 5);
  const auto kernel =
      CompileKernel(experiment.program, {.isa = isa, .width = width});
  if (!kernel.ok()) {
    state.SkipWithError(kernel.status().ToString().c_str());
    return;
  }
  const auto points = Points(model, static_cast<size_t>(width));
  std::vector<double> parameters;
  for (size_t p = 0; p < model.parameters.size(); ++p) {
    for (const auto& point : points) parameters.push_back(point[p]);
  }
  const Trace& trace =
      experiment.dataset->traces[static_cast<size_t>(trace_index)];
  const std::vector<double> ones(kSteps, 1.0);
  std::vector<double> states(experiment.program.states.size() * points.size());
  std::vector<double> sums(points.size());
  const double* inputs[] = {trace.inputs[0].data()};
  const double* targets[] = {trace.targets[0].data()};
  const double* weights[] = {ones.data()};
  KernelCall call;
  call.parameters = parameters.data();
  call.states = states.data();
  call.inputs = inputs;
  call.targets = targets;
  call.weights = weights;
  call.sums = sums.data();
  for (auto _ : state) {
    (*kernel)->Start(parameters.data(), states.data());
    for (size_t begin = 0; begin < kSteps; begin += 128) {
      call.begin = static_cast<int64_t>(begin);
      call.end = static_cast<int64_t>(std::min(kSteps, begin + 128));
      (*kernel)->Run(call);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  const double steps = static_cast<double>(state.iterations()) *
                       static_cast<double>(kSteps) * width;
  state.counters["M/s"] =
      benchmark::Counter(steps * 1e-6, benchmark::Counter::kIsRate);
  const Work work = WorkOf(experiment.program);
  const Peaks peaks = MeasurePeaks(isa);
  const double divider_s = work.divisions * peaks.divider_s;
  const double fma_s = work.multiplications * peaks.fma_s;
  const double all_s = fma_s + work.others * peaks.addition_s +
                       work.divisions * peaks.division_s;
  state.counters["roofline"] =
      benchmark::Counter(1e-6 / std::max(all_s, divider_s));
  state.counters["share"] = benchmark::Counter(
      steps * std::max(all_s, divider_s), benchmark::Counter::kIsRate);
  state.counters["share_mul"] = benchmark::Counter(
      steps * std::max(fma_s, divider_s), benchmark::Counter::kIsRate);
  state.counters["mul"] = work.multiplications;
  state.counters["other"] = work.others;
  state.counters["div"] = work.divisions;
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
    const Peaks peaks = MeasurePeaks(isa);
    std::printf(
        "%s: %.1f GFlop/s of fused multiply-adds; beside them an addition "
        "costs "
        "%.2f of one, a division %.2f; %.2f G divisions/s\n",
        std::string(IsaName(isa)).c_str(), 2e-9 / peaks.fma_s,
        peaks.addition_s / peaks.fma_s, peaks.division_s / peaks.fma_s,
        1e-9 / peaks.divider_s);
    struct Case {
      const char* name;
      const Model* model;
      int trace;
    };
    for (const Case& c : {Case{"hodgkin_huxley/spike", &Hh(), kSpike},
                          Case{"hodgkin_huxley/quiet", &Hh(), kQuiet},
                          Case{"passive", &Passive(), kSpike}}) {
      for (const int width : {4, 8, 16}) {
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
  somafit::Register();
  benchmark::RunSpecifiedBenchmarks();
}
