#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/inference/data_rows.h"
#include "server/trainer/problem.h"
#include "server/trainer/task_run.h"

namespace somafit {

// Row-major, in the order of samples' numbers.
struct Simulations {
  std::vector<int32_t> round;
  std::vector<double> theta;  // [n x D], within the prior
  // [n x E]: one of both, the latter of raw traces.
  std::vector<double> x;
  std::vector<float> raw_x;

  size_t size() const { return round.size(); }
  DataRows rows() const {
    return raw_x.empty() ? DataRows(x) : DataRows(raw_x);
  }
};

// What rounds 0 to `last_round` simulated, checked; later rounds are passed
// over. InvalidArgument for sizes that do not agree with the problem's, and for
// parameters that the prior does not allow.
absl::StatusOr<Simulations> FetchSimulations(const Problem& problem,
                                             int64_t last_round,
                                             const TaskRun& run);

struct ChosenSimulations {
  Simulations used;
  int64_t n_invalid = 0;  // left out
  std::vector<std::string> messages;
};

// Those that `algorithm` trains on in `round`, by the rules of rounds
// (round_rules.h), with what is to be said about them and the observation.
// Chooses in place: give `all` away.
absl::StatusOr<ChosenSimulations> ChooseSimulations(const Problem& problem,
                                                    Algorithm algorithm,
                                                    int64_t round,
                                                    Simulations all);

}  // namespace somafit
