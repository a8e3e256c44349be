#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/proposal.h"

namespace somafit {

// The rules of what simulations are trained on, as functions of facts.

enum class Algorithm {
  kNpeA,
  kNpeB,
  kNpeC,         // atomic
  kNpeCMixture,  // with the exact loss of mixtures
  kTruncatedNpe,
  kNle,
  kNre,
};

// The round of simulations from this proposal, where `latest` is the largest
// round so far: 0 for the prior and for what is proportional to it on its
// support (restricted and truncated priors: plain loss is right), else one more
// than the latest.
int RoundOf(ProposalKind proposal, std::optional<int> latest);

// What to do with simulations whose features hold NaN or infinity.
enum class InvalidRows { kDefault, kExclude, kKeep };

struct ValidRows {
  std::vector<int64_t> rows;          // those to train on, ascending
  int64_t n_nan = 0, n_infinite = 0;  // invalid rows; with both: n_nan
  std::vector<std::string> messages;
};

// Leaving out rows with invalid features changes what the parameters were drawn
// from to proposal * P(valid | theta). That is right for posterior estimators
// in round 0 (the posterior of a valid observation) and the default there; it
// is a bias after it, and for NLE and NRE a wrong likelihood, unless validity
// does not depend on theta: then it must be asked for (kExclude), and a message
// says what it does.
//
// InvalidArgument, with counts, where rows are invalid and not excluded: no
// loss is defined there; or where fewer than kLeastSimulations are left.
absl::StatusOr<ValidRows> SelectValidRows(std::span<const double> x, size_t e,
                                          InvalidRows invalid,
                                          Algorithm algorithm, int round);
// The same, of what is known of each row; with NaN and infinity: kNan.
enum class RowState : uint8_t { kValid, kNan, kInfinite };
absl::StatusOr<ValidRows> SelectValidRows(std::span<const RowState> rows,
                                          InvalidRows invalid,
                                          Algorithm algorithm, int round);
inline constexpr int64_t kLeastSimulations = 10;

// What in the rows of x [n x E], all finite, is not as features should be: all
// rows equal, columns that are constant (by name), values more than 10
// interquartile ranges beyond the quartiles, rows that come more than once.
std::vector<std::string> FeatureWarnings(
    std::span<const double> x, size_t e,
    std::span<const std::string> names = {});

// Which rounds to train on in `round`: the latest alone for NPE-A and for
// NPE-C with mixtures, whose loss is of one proposal; others from 1 on if prior
// samples are discarded (which round 0 ignores), else all.
struct RoundRange {
  int first = 0, last = 0;  // inclusive
};
RoundRange RoundsToTrainOn(Algorithm algorithm, int round,
                           bool discard_prior_samples);

// InvalidArgument where a number of simulations cannot be split: `n` rows at
// this validation fraction leave no batch for training or no row to validate.
absl::Status CheckTrainingSize(int64_t n, double validation_fraction);

}  // namespace somafit
