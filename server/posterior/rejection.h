#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/draw_key.h"
#include "server/posterior/draws.h"
#include "server/posterior/prior.h"

namespace somafit {

// Appends up to n next candidates [n x D] with log(target / proposal), up to
// one constant; none where the source has run dry. A candidate is a function
// of its number alone.
using CandidateSource = std::function<absl::Status(
    int64_t n, std::vector<double>& theta, std::vector<double>& log_ratio)>;

struct RejectionOptions {
  int64_t n = 0;
  DrawKey key = {};
  DrawLimits limits = {};
  double log_bound = 0;     // of log_ratio, the best that is known
  double log_margin = 0.2;  // how far above a ratio that exceeds it to go
};

struct RejectionDraws {
  Draws draws;  // log_density holds log_ratio
  // Ratios that exceeded the bound, and the bound that held in the end.
  int64_t violations = 0;
  double log_bound = 0;
};

// The first n candidates that pass a ratio test, under the bound that the
// candidates up to the last of them ask for: where one exceeds it, the bound is
// raised and those accepted before are tested anew with the numbers they were
// tested with, which is as if it had held from the start. Draws depend on
// key and source, not on batches. FailedPrecondition where a ratio is NaN or
// +inf.
absl::StatusOr<RejectionDraws> RejectionSample(const CandidateSource& source,
                                               size_t d,
                                               const RejectionOptions& options);

// log target, up to a constant, of each row of theta [n x D]; rows lie inside
// the prior.
using LogTarget = std::function<void(std::span<const double> theta,
                                     std::span<double> log_target)>;
using LogTargetGradient = std::function<void(std::span<const double> theta,
                                             std::span<double> log_target,
                                             std::span<double> gradient)>;

struct PriorRejectionOptions {
  int64_t n = 0;
  DrawKey key = {};
  DrawLimits limits = {};
  int64_t pilot_draws = 10'000;  // for the first bound
  double margin = 1.2;           // factor on it, at least 1
  // Improves the bound by climbing from the best of the pilot draws, where
  // target / prior has its gradient. Empty: the pilot draws must do.
  LogTargetGradient ratio_gradient = {};
};

// Draws from a density by rejection with the prior as proposal; `target` is
// e.g. log-likelihood + log prior.
absl::StatusOr<RejectionDraws> SampleFromTarget(
    const LogTarget& target, const Prior& prior,
    const PriorRejectionOptions& options);

// Candidates of the prior's draws for a target, from draw 0 of `key` on.
CandidateSource PriorCandidates(const LogTarget& target, const Prior& prior,
                                DrawKey key);

}  // namespace somafit
