// Ask + tell time a sample, for each optimizer, after `told` samples.

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "server/optimizer/optimizer.h"

namespace somafit {
namespace {

constexpr size_t kDimensions = 12;

OptionValues Defaults(const OptimizerEntry& entry) {
  OptionValues values;
  for (const OptionSpec& option : entry.options) {
    values[std::string(option.name)] = option.default_value;
  }
  return values;
}

void Round(Optimizer& optimizer, int64_t n, uint32_t round) {
  RandomStream random(1, StreamPurpose::kOptimizer, 0, round);
  std::vector<Told> told;
  for (std::vector<double>& point : optimizer.Ask(n, random)) {
    double error = 0;
    for (double x : point) error += (x - 0.3) * (x - 0.3);
    told.push_back({std::move(point), error});
  }
  optimizer.Tell(told);
}

void AskTell(benchmark::State& state, const OptimizerEntry* entry) {
  const int64_t n = state.range(0);
  auto optimizer = entry->make({kDimensions, Defaults(*entry)});
  uint32_t round = 0;
  for (int64_t told = 0; told < state.range(1); told += 1000) {
    Round(*optimizer, 1000, round++);
  }
  for (auto _ : state) Round(*optimizer, n, round++);
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(n), benchmark::Counter::kIsIterationInvariantRate |
                                  benchmark::Counter::kInvert);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) {
  for (const somafit::OptimizerEntry* entry : somafit::AllOptimizers()) {
    benchmark::RegisterBenchmark(std::string(entry->name).c_str(),
                                 somafit::AskTell, entry)
        ->ArgNames({"n_samples", "told"})
        ->Args({30, 1000})
        ->Args({1000, 1000})
        ->Args({30, 1000000});
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
