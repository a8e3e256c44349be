#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/optimizer/optimizer.h"
#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/data/parameter_space.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

struct InferencePlan;  // inference_plan.h

struct StopRules {
  std::optional<int64_t> rounds;
  std::optional<int64_t> evaluations;
  std::optional<double> target;     // total error
  std::optional<double> elapsed_s;  // running time
};

// A checked FitSpec: all text evaluated, all defaults filled in.
struct FitPlan {
  FitSpec spec;            // with defaults; the name may still be empty
  std::string model_hash;  // SHA-256
  ParameterSpace space;    // in the order of the model's definitions
  std::vector<StartValue> starts;
  // The terms of the total error: of each output of the dataset, in its order,
  // then those that compare several or have no target. Of an inference its
  // features.
  std::vector<Channel> outputs;
  size_t n_traces = 0;
  double dt = 0;                    // [s]
  std::vector<MetricSpec> metrics;  // one per term
  Dimension error_dimension;        // of the total error
  StopRules stop;
  std::shared_ptr<const InferencePlan> inference;  // nullptr: it is none
};

// Whether simulations come from the user's own program.
bool HasOwnSimulator(const FitSpec& spec);

// Limits of what a fit may ask for.
inline constexpr size_t kMaxParameters = 256;
inline constexpr int64_t kMaxSamplesPerRound = 100'000;
inline constexpr int kMaxAttempts = 1000;
inline constexpr int64_t kMaxStopRounds = 4'000'000'000;
inline constexpr int64_t kMaxStopEvaluations = 400'000'000'000'000;

// Names of fits; kFitNameRule says in words what IsFitName asks for.
bool IsFitName(std::string_view name);
inline constexpr std::string_view kFitNameRule =
    "use lower-case letters, digits, \"-\" and \"_\", starting with a letter, "
    "at most 63";
// A round of `n_samples` must fit into one event: 12 MiB.
bool RoundFitsIntoEvent(int64_t n_samples, size_t n_parameters,
                        size_t n_outputs);

// Checks everything that can be checked before the first simulation: the model
// against the dataset, that the method applies, bounds for each parameter and
// no others, metrics, optimizer and options, stop rules, names. All mistakes
// are reported. `spec.dataset` must be the hash of `dataset`.
std::optional<FitPlan> ResolvePlan(const FitSpec& spec,
                                   const std::string& model_hash,
                                   const Dataset& dataset,
                                   Diagnostics& diagnostics);

// The same of an inference with a simulator of the user's own, which has
// neither model nor dataset: `model_hash` is that of an empty model. Dimensions
// of parameters are those of their bounds, values or priors.
std::optional<FitPlan> ResolveOwnPlan(const FitSpec& spec,
                                      const std::string& model_hash,
                                      Diagnostics& diagnostics);

// The optimizer that the plan names, in its initial state.
std::unique_ptr<Optimizer> MakeOptimizer(const FitPlan& plan);

}  // namespace somafit
