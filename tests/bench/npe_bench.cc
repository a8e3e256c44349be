// How good posteriors are at small budgets: the published protocol of the
// two-sample test (tests/bench/README.md), a table of tasks, nets and budgets.
//
// Usage: npe_bench [TASK...] [--net NET] [--simulations N] [--batch B]
//                  [--seeds N] [--observations N] [--fresh]
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "server/posterior/estimator_spec.h"
#include "tests/support/npe_score.h"

namespace somafit {
namespace {

// Means of ten observations with one net each, J.-M. Lueckmann et al. (2021),
// benchmark of simulation-based inference, supplementary tables: NPE with a
// flow of splines, at 1000 and 10 000 simulations. Those of gaussian_mixture
// are the authors' later ones, after its simulator was repaired.
double Published(const std::string& task, int64_t simulations) {
  static const std::map<std::pair<std::string, int64_t>, double> kMeans = {
      {{"gaussian_linear", 1000}, 0.694},
      {{"gaussian_linear", 10000}, 0.552},
      {{"gaussian_linear_uniform", 1000}, 0.696},
      {{"gaussian_linear_uniform", 10000}, 0.553},
      {{"gaussian_mixture", 1000}, 0.716},
      {{"gaussian_mixture", 10000}, 0.615},
      {{"two_moons", 1000}, 0.725},
      {{"two_moons", 10000}, 0.606},
      {{"slcp", 1000}, 0.975},
      {{"slcp", 10000}, 0.901},
      {{"bernoulli_glm", 1000}, 0.863},
      {{"bernoulli_glm", 10000}, 0.678}};
  const auto found = kMeans.find({task, simulations});
  return found == kMeans.end() ? 0 : found->second;
}

int Main(int argc, char** argv) {
  std::vector<std::string> tasks, nets = {"maf", "nsf"};
  std::vector<int64_t> budgets = {1000, 10'000};
  NpeScoreOptions options;
  options.observations.resize(5);
  int seeds = 1;
  bool fresh = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] {
      return i + 1 < argc ? std::string(argv[++i]) : std::string("1");
    };
    if (word == "--net") {
      nets = {value()};
    } else if (word == "--simulations") {
      budgets = {std::atol(value().c_str())};
    } else if (word == "--batch") {
      options.batch = std::atol(value().c_str());
    } else if (word == "--seeds") {
      seeds = std::atoi(value().c_str());
    } else if (word == "--observations") {
      options.observations.resize(
          static_cast<size_t>(std::atoi(value().c_str())));
    } else if (word == "--fresh") {
      fresh = true;
    } else if (FindSbiTask(word) != nullptr) {
      tasks.push_back(word);
    } else {
      std::fprintf(stderr, "npe_bench: there is no task or option %s\n",
                   word.c_str());
      return 2;
    }
  }
  for (const std::string& net : nets) {
    if (FindNet(net) != nullptr) continue;
    std::fprintf(stderr, "npe_bench: there is no net %s\n", net.c_str());
    return 2;
  }
  if (tasks.empty()) {
    for (const SbiTask* task : AllSbiTasks()) tasks.emplace_back(task->name());
  }
  std::iota(options.observations.begin(), options.observations.end(), 1);
  std::printf(
      "| task | observations | simulations | net | batch | seed | epochs | "
      "training, CPU s | "
      "C2ST, mean | least | most | published |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::string& task : tasks) {
    options.fresh = fresh || !ReadSbiReference(task, 1).ok();
    if (options.fresh && !FindSbiTask(task)->has_posterior()) {
      std::fprintf(stderr,
                   "npe_bench: %s is left out: there are no published "
                   "observations, and no exact posterior\n",
                   task.c_str());
      continue;
    }
    for (const int64_t budget : budgets) {
      for (const std::string& net : nets) {
        for (int seed = 1; seed <= seeds; ++seed) {
          options.net = net;
          options.simulations = budget;
          options.seed = static_cast<uint64_t>(seed);
          const auto score = ScoreNpe(*FindSbiTask(task), options);
          if (!score.ok()) {
            std::fprintf(stderr, "npe_bench: %s: %s\n", task.c_str(),
                         std::string(score.status().message()).c_str());
            return 1;
          }
          double least = 1, most = 0;
          for (const double each : score->c2st) {
            least = std::min(least, each);
            most = std::max(most, each);
          }
          std::printf(
              "| %s | %s | %ld | %s | %ld | %d | %ld | %.1f | %.3f | %.3f | "
              "%.3f | "
              "%.3f |\n",
              task.c_str(), options.fresh ? "fresh" : "published",
              static_cast<long>(budget), net.c_str(),
              static_cast<long>(options.batch), seed,
              static_cast<long>(score->epochs), score->training_seconds,
              score->mean, least, most, Published(task, budget));
          std::fflush(stdout);
        }
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
