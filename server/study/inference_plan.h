#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/posterior/prior.h"
#include "server/study/plan_check.h"
#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

// What is asked of an inference, checked.
struct InferencePlan {
  // Of the parameters that are not fixed, in the order of the model's.
  std::vector<MarginalSpec> marginals;  // SI
  std::shared_ptr<const Prior> prior;
  std::vector<size_t> free;  // their numbers among all parameters
  std::string algorithm;
  // What is looked at of each trace: names, and dimensions of the values.
  std::vector<Channel> features;  // empty where x is raw traces
  XColumns columns;
  // Of each column its place among the values of a sample, [feature][trace].
  // Of raw traces empty: they come in the order of x.
  std::vector<size_t> order;
  // x of the recordings, or as given; empty with a simulator of the user's own
  // until there is one.
  std::vector<double> observation;
  int64_t n_rounds = 1;
};

inline constexpr int64_t kMaxInferenceRounds = 1000;
// Numbers of x that all rounds have together: a trainer holds them, 2 GiB, and
// those of raw traces as float32, 1 GiB.
inline constexpr int64_t kMaxNumbersOfX = int64_t{1} << 28;
// What is wrong where there were more.
std::optional<std::string> TooManyNumbers(const InferencePlan& plan,
                                          int64_t rounds, int64_t n_samples);

// Priors of all parameters, in place of CheckParameters: the space has their
// bounds, or where there are none some five standard deviations, for people.
ParameterPlan CheckPriors(const FitSpec& spec, const Model& model,
                          InferencePlan& plan, Diagnostics& diagnostics);

// What fits have and inferences do not, rounds, algorithm, estimator and
// training. Fills in defaults in `spec`.
void CheckInference(FitSpec& spec, InferencePlan& plan,
                    Diagnostics& diagnostics);

// Features, their names filled in, and what is observed; without any, the raw
// traces of all outputs. Whether the estimator's embedding takes x.
void CheckFeatures(FitSpec& spec, const Dataset& dataset,
                   std::optional<double> dt, InferencePlan& plan,
                   Diagnostics& diagnostics);

// Whether the layers of an embedding take x of `n_columns`; 0: that is not
// known.
void CheckEmbedding(const DensityEstimatorSpec& estimator, size_t n_columns,
                    Diagnostics& diagnostics);
// The observation as it is given, one finite number for each of the plan's
// columns.
void TakeObservation(const std::vector<double>& given, InferencePlan& plan,
                     Diagnostics& diagnostics);

// Draw `k` of the first round, all parameters, SI: a function of the seed, the
// stage and k.
std::vector<std::vector<double>> DrawFromPrior(const InferencePlan& plan,
                                               const ParameterSpace& space,
                                               uint64_t seed, int32_t stage,
                                               int64_t count);
// Draws `first`, first + 1, ... of the same, the free parameters alone,
// [count x free]. REQUIRES: first + count <= 2^32.
std::vector<double> ProposeFromPrior(const InferencePlan& plan, uint64_t seed,
                                     int32_t stage, int64_t first,
                                     int64_t count);
// Parameter sets of the free parameters, row-major, as points of all.
std::vector<std::vector<double>> PointsOfFree(const InferencePlan& plan,
                                              const ParameterSpace& space,
                                              std::span<const double> theta);

}  // namespace somafit
