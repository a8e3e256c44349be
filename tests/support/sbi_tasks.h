#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/prior.h"
#include "worker/core/base/random.h"

namespace somafit {

// Tasks of the benchmark of J.-M. Lueckmann et al. (2021), "Benchmarking
// simulation-based inference", AISTATS: priors, simulators and, where there are
// any, exact posteriors. Draws are keyed, so that simulation i is a function of
// (seed, i) alone.
class SbiTask {
 public:
  virtual ~SbiTask() = default;
  virtual std::string_view name() const = 0;
  virtual size_t n_parameters() const = 0;  // D
  virtual size_t n_features() const = 0;    // E
  virtual std::shared_ptr<const Prior> prior() const = 0;
  // x ~ p(x | theta).
  virtual void Simulate(std::span<const double> theta, RandomStream& random,
                        std::span<double> x) const = 0;
  // Whether SamplePosterior is there.
  virtual bool has_posterior() const { return true; }
  // theta ~ p(theta | x), exactly. REQUIRES: has_posterior().
  virtual void SamplePosterior(std::span<const double> x, RandomStream& random,
                               std::span<double> theta) const = 0;
};

// two_moons, gaussian_linear, gaussian_linear_uniform, gaussian_mixture, slcp;
// where the published data are there, bernoulli_glm.
const std::vector<const SbiTask*>& AllSbiTasks();
const SbiTask* FindSbiTask(std::string_view name);  // nullptr: unknown

struct Simulations {
  std::vector<double> theta;  // [n x D]
  std::vector<double> x;      // [n x E]
};
// Simulations first .. first + n - 1 of `seed` from the prior.
Simulations SimulateFromPrior(const SbiTask& task, uint64_t seed, int64_t first,
                              int64_t n);
// The same at given theta [n x D].
std::vector<double> SimulateAt(const SbiTask& task, uint64_t seed,
                               std::span<const double> theta);
// n draws [n x D] from the exact posterior at x.
std::vector<double> ExactPosterior(const SbiTask& task,
                                   std::span<const double> x, uint64_t seed,
                                   int64_t n);

// What the benchmark publishes of an observation.
struct SbiReference {
  std::vector<double> observation;  // [E]
  std::vector<double> truth;        // [D]
  std::vector<double> posterior;    // [10 000 x D]
};
// Reads it from data/sbibm of the folder in SOMAFIT_SHARED, by default
// ../shared. NotFound where that is not there: tests are then skipped.
absl::StatusOr<SbiReference> ReadSbiReference(std::string_view task,
                                              int observation);

}  // namespace somafit
