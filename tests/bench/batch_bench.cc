// How fast this machine evaluates a batch, without a service: the points that a
// fit's first round would draw, through EvaluateBatch.
//
// Usage: batch_bench FIT.yaml [points] [threads] [repeats]
// Prints, a line each: neuron_steps (of one repeat), and the best and the
// median of neuron-steps a second of CPU time of all threads.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "client/lib/load.h"
#include "client/lib/yaml_spec.h"
#include "proto/convert/digest.h"
#include "proto/convert/spec.h"
#include "server/study/plan.h"
#include "worker/core/base/random.h"
#include "worker/core/base/status.h"
#include "worker/sim/batch.h"

namespace somafit {
namespace {

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9;
}

absl::Status Run(const std::string& path, int64_t n_points, int threads,
                 int repeats) {
  SOMAFIT_ASSIGN_OR_RETURN(v1::FitSpec message, ReadFitSpec(path, {}));
  SOMAFIT_ASSIGN_OR_RETURN(
      Dataset loaded,
      LoadDataset(message, std::filesystem::path(path).parent_path()));
  const auto dataset = std::make_shared<const Dataset>(std::move(loaded));
  message.clear_data();
  message.set_dataset("datasets/" + Sha256Hex(EncodeDataset(*dataset)));
  SOMAFIT_ASSIGN_OR_RETURN(const FitSpec spec, FromProto(message));
  Diagnostics diagnostics;
  const auto plan = ResolvePlan(spec, "", *dataset, diagnostics);
  if (!plan) return absl::InvalidArgumentError(diagnostics.Render());
  std::vector<std::string> names;
  for (const Parameter& parameter : plan->space.parameters()) {
    names.push_back(parameter.name);
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      const Experiment experiment,
      MakeExperiment(spec.model, dataset, plan->dt, names, plan->metrics));
  RandomStream random(spec.seed, StreamPurpose::kOptimizer, 0, 0);
  std::vector<std::vector<double>> points;
  for (const auto& unit : MakeOptimizer(*plan)->Ask(n_points, random)) {
    points.push_back(plan->space.ToSi(unit));
  }
  size_t steps = 0;
  for (const Trace& trace : dataset->traces) steps += trace.n_steps();
  const double neuron_steps =
      static_cast<double>(steps) * static_cast<double>(n_points);
  std::vector<double> rates;
  for (int i = 0; i < repeats; ++i) {
    const double begin = CpuSeconds();
    SOMAFIT_RETURN_IF_ERROR(
        EvaluateBatch(experiment, points, threads).status());
    rates.push_back(neuron_steps / (CpuSeconds() - begin));
  }
  std::sort(rates.begin(), rates.end());
  std::cout << "neuron_steps " << neuron_steps << "\nbest " << rates.back()
            << "\nmedian " << rates[rates.size() / 2] << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(std::atoi(argv[i]), 1) : otherwise;
  };
  if (argc < 2) {
    std::cerr << "batch_bench FIT.yaml [points] [threads] [repeats]\n";
    return 2;
  }
  const absl::Status status =
      somafit::Run(argv[1], number(2, 10'000), number(3, 1), number(4, 3));
  if (status.ok()) return 0;
  std::cerr << status.message() << "\n";
  return 1;
}
