#include "server/posterior/importance_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "server/posterior/log_sum.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kFewEffective = 0.1;

bool IsNoDensity(double log_density) {
  return std::isnan(log_density) || log_density == kInf;
}

// Lowers the largest weights so that none exceeds `limit` times their mean:
// lowering some lowers the mean, so it is repeated until nothing changes.
int64_t Truncate(std::vector<double>& weight, double limit) {
  const auto n = static_cast<double>(weight.size());
  std::vector<double> sorted = weight;
  std::sort(sorted.begin(), sorted.end());
  // With the k largest at c: c = limit (rest + k c) / n.
  double rest = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  int64_t k = 0;
  double cap = kInf;
  for (size_t i = sorted.size(); i-- > 0;) {
    const double least =
        k == 0 ? limit * rest / n : limit * rest / (n - limit * double(k));
    if (!(limit * double(k) < n) || sorted[i] <= least) {
      cap = least;
      break;
    }
    rest -= sorted[i];
    ++k;
  }
  if (k == 0) return 0;
  for (double& one : weight) one = std::min(one, cap);
  return k;
}

}  // namespace

absl::StatusOr<ImportanceWeights> BalanceWeights(
    std::span<const double> log_prior, std::span<const double> log_proposals,
    std::span<const int64_t> n_of_round, const WeightOptions& options) {
  const size_t n = log_prior.size(), n_rounds = n_of_round.size();
  SOMAFIT_CHECK(log_proposals.size() == n * n_rounds);
  if (options.largest != 0 &&
      !(options.largest > 1 && std::isfinite(options.largest))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the largest weight is ", ShortestText(options.largest),
        " times the mean, but must be above 1 times it, or 0 for no limit"));
  }
  int64_t total = 0;
  for (const int64_t count : n_of_round) {
    SOMAFIT_CHECK(count >= 0);
    total += count;
  }
  if (n == 0 || total == 0) {
    return absl::InvalidArgumentError("there are no simulations to weigh");
  }
  std::vector<double> log_share;
  for (const int64_t count : n_of_round) {
    log_share.push_back(
        Log(static_cast<double>(count) / static_cast<double>(total)));
  }
  std::vector<double> log_weight(n), parts;
  for (size_t i = 0; i < n; ++i) {
    if (IsNoDensity(log_prior[i])) {
      return absl::FailedPreconditionError(
          absl::StrCat("the prior's log density at simulation ", i, " is ",
                       ShortestText(log_prior[i])));
    }
    parts.clear();
    for (size_t r = 0; r < n_rounds; ++r) {
      if (n_of_round[r] == 0) continue;
      const double one = log_proposals[i * n_rounds + r];
      if (IsNoDensity(one)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "the log density of round ", r, "'s proposal at simulation ", i,
            " is ", ShortestText(one),
            ": the estimator of that round is broken; leave the round out"));
      }
      parts.push_back(log_share[r] + one);
    }
    const double log_mixture = LogSumExp(parts);
    if (log_prior[i] == -kInf) {
      log_weight[i] = -kInf;
    } else if (log_mixture == -kInf) {
      return absl::FailedPreconditionError(absl::StrCat(
          "no round that is used can have drawn simulation ", i,
          ": give each simulation's round, and the proposal it was drawn "
          "from"));
    } else {
      log_weight[i] = log_prior[i] - log_mixture;
    }
  }
  const double largest =
      *std::max_element(log_weight.begin(), log_weight.end());
  if (largest == -kInf) {
    return absl::FailedPreconditionError(
        "all simulations lie where the prior allows none");
  }
  ImportanceWeights result;
  for (const double one : log_weight) {
    result.weight.push_back(Exp(one - largest));
  }
  if (options.largest > 0) {
    result.n_truncated = Truncate(result.weight, options.largest);
  }
  const auto count = static_cast<double>(n);
  const double mean =
      std::accumulate(result.weight.begin(), result.weight.end(), 0.0) / count;
  double squares = 0;
  for (double& one : result.weight) {
    one /= mean;
    squares += one * one;
    result.largest = std::max(result.largest, one);
  }
  result.effective_samples = count * count / squares;
  if (result.effective_samples < kFewEffective * count) {
    result.messages.push_back(
        absl::StrCat("the weights of ", n, " simulations are worth ",
                     RoundedText(result.effective_samples, 3),
                     " equal ones: keep more draws from the prior, limit the "
                     "weights, or use "
                     "a truncated proposal, which needs none"));
  }
  if (result.n_truncated > 0) {
    result.messages.push_back(
        absl::StrCat(result.n_truncated, " weights were lowered to ",
                     RoundedText(options.largest, 6), " times the mean"));
  }
  return result;
}

absl::StatusOr<ImportanceWeights> WeightsOfRounds(
    std::span<const double> theta, const Prior& prior,
    std::span<const UsedRound> rounds, const WeightOptions& options) {
  const size_t d = prior.size(), n = theta.size() / d;
  SOMAFIT_CHECK(theta.size() == n * d);
  std::vector<double> log_prior(n), log_proposals(n * rounds.size());
  std::vector<int64_t> counts;
  for (size_t i = 0; i < n; ++i) {
    log_prior[i] = prior.LogDensity(theta.subspan(i * d, d));
  }
  for (size_t r = 0; r < rounds.size(); ++r) {
    counts.push_back(rounds[r].n);
    if (rounds[r].n == 0) continue;
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> log_density,
                             rounds[r].proposal->LogDensity(theta));
    for (size_t i = 0; i < n; ++i) {
      log_proposals[i * rounds.size() + r] = log_density[i];
    }
  }
  return BalanceWeights(log_prior, log_proposals, counts, options);
}

}  // namespace somafit
