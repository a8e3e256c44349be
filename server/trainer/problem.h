#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/training.h"
#include "server/posterior/calibration_kernel.h"
#include "server/posterior/prior.h"
#include "server/posterior/round_rules.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

// All that is to be known of an inference, checked and with its defaults.
struct Problem {
  std::string fit;
  std::string key;  // differs where fit, seed, stage or priors do
  uint64_t seed = 0;
  int32_t stage = 0;
  int64_t n_rounds = 0;  // of the stage
  std::shared_ptr<const Prior> prior;
  std::vector<std::string> parameters;
  XColumns columns;
  std::vector<double> observation;  // finite; empty: there is none yet
  Algorithm algorithm = Algorithm::kTruncatedNpe;

  std::vector<EstimatorSpec> specs;  // several: the best of them is kept
  // SHA-256 of the TorchScript module that is their embedding; it is fetched
  // where they are trained. "": there is none.
  std::string script;
  int ensemble = 1;
  TrainingOptions training;           // all but seed and threads
  std::vector<std::string> messages;  // e.g. a device that is not there
  int64_t num_atoms = 10;
  bool use_combined_loss = false;
  double largest_weight = 0;  // 0: no limit
  CalibrationKernel calibration;
  double truncation = 1e-4;
  InvalidRows invalid = InvalidRows::kDefault;

  size_t d() const { return parameters.size(); }
  size_t e() const { return columns.size(); }
};

// InvalidArgument with a line for each mistake. What was fixed is no parameter
// and does not occur.
absl::StatusOr<Problem> ReadProblem(const v1::InferenceProblem& message);

inline constexpr int kMaxEnsemble = 16;
inline constexpr int64_t kMaxRound = 1'000'000;

// What is random in an inference, apart from what a question is asked with.
enum class Purpose : uint32_t {
  kTraining = 1,
  kDraws = 2,
  kPosterior = 3,   // estimates of a posterior's mass within the prior
  kTruncation = 4,  // the threshold of a truncated proposal
  kReplication = 5,
};
// A pure function of the problem's seed, its stage and these, so that a task
// that is handed out again has the same result.
uint64_t SeedOf(const Problem& problem, Purpose purpose, int64_t round,
                int member = 0);

}  // namespace somafit
