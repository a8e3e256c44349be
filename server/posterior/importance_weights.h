#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/proposal.h"

namespace somafit {

// What NPE-B weighs the loss of each simulation with, so that simulations from
// any proposals teach the posterior under the prior.
struct ImportanceWeights {
  std::vector<double> weight;    // [n], mean 1
  double effective_samples = 0;  // (sum w)^2 / sum w^2
  double largest = 0;
  int64_t n_truncated = 0;
  std::vector<std::string> messages;
};

struct WeightOptions {
  // No weight above this many times the mean; 0: no limit.
  double largest = 0;
};

// A round that is trained on: how many of its simulations are used.
struct UsedRound {
  int64_t n = 0;
  const Proposal* proposal = nullptr;
};

// w = p / sum_r alpha_r p_r with alpha_r the share of the simulations that came
// from round r: the balance heuristic (E. Veach, L. Guibas (1995), SIGGRAPH
// 95), here of the deterministic mixture of all rounds used, whichever one a
// simulation came from. With a share alpha_0 from the prior none exceeds
// 1 / alpha_0 before they are brought to mean 1.
//
// `log_prior` [n], `log_proposals` [n x n_rounds], `n_of_round` [n_rounds];
// rounds of which none is used are passed over. InvalidArgument where the
// counts are not all positive in sum, or the limit is not above 1;
// FailedPrecondition, naming row and round, where a density is NaN or +inf, a
// simulation has density 0 under all rounds, or all weights are 0. A prior
// density of 0 gives weight 0.
absl::StatusOr<ImportanceWeights> BalanceWeights(
    std::span<const double> log_prior, std::span<const double> log_proposals,
    std::span<const int64_t> n_of_round, const WeightOptions& options = {});

// The same of parameters `theta` [n x D] of all rounds used: evaluates every
// proposal once at every row.
absl::StatusOr<ImportanceWeights> WeightsOfRounds(
    std::span<const double> theta, const Prior& prior,
    std::span<const UsedRound> rounds, const WeightOptions& options = {});

}  // namespace somafit
