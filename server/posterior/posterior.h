#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/density_estimator.h"
#include "server/posterior/draws.h"
#include "server/posterior/prior.h"

namespace somafit {

struct EnsembleMember {
  std::shared_ptr<const DensityEstimator> estimator;
  double weight = 1;  // relative to the others'
};

struct PosteriorOptions {
  // Of what is estimated by drawing: the same answers whoever asks first.
  uint64_t seed = 0;
  int64_t leakage_draws = 10'000;         // at least, per member
  int64_t max_leakage_draws = 1'000'000;  // where few fall inside
};

// What part Z of an estimator's mass the prior allows at one observation.
struct Leakage {
  Share inside;
  double log_normalizer = 0;  // log Z
  double log_error = 0;       // its standard error
};

// Below this part of draws inside the prior, other ways to draw are quicker.
inline constexpr double kFewAccepted = 0.01;

// p(theta | x) = sum_m w_m q_m(theta | x) / Z_m(x) within the prior's support
// and 0 outside, of an ensemble of estimators q_m; of one estimator, as a rule.
//
// Immutable but for a cache behind a lock; thread-safe.
class Posterior {
 public:
  // InvalidArgument where there is no member, a weight is not above 0, or
  // sizes differ; all mistakes at once.
  static absl::StatusOr<std::unique_ptr<const Posterior>> Make(
      std::vector<EnsembleMember> members, std::shared_ptr<const Prior> prior,
      const PosteriorOptions& options = {});

  size_t n_parameters() const { return prior_->size(); }
  size_t n_features() const { return members_[0].estimator->n_features(); }
  const Prior& prior() const { return *prior_; }
  const std::vector<EnsembleMember>& members() const { return members_; }

  // InvalidArgument unless `x` has n_features finite numbers; names them all.
  absl::Status CheckObservation(std::span<const double> x) const;

  struct SampleOptions {
    int64_t n = 0;
    DrawKey key = {};
    DrawLimits limits = {};
    bool reject_outside_prior = true;
  };
  // The first n draws of `key`. Each draw i of an ensemble picks its member by
  // weight; each member's candidates are numbered and those outside the prior
  // dropped. So draws are a function of x, the key and their numbers: neither
  // batch nor n changes one. Draws::log_density is Potential. Errors are those
  // of CheckObservation and LeakageAt.
  absl::StatusOr<Draws> Sample(std::span<const double> x,
                               const SampleOptions& options) const;
  // The same for each row of `xs` [n_x x E], keyed by the row's number
  // (PartOf).
  absl::StatusOr<std::vector<Draws>> SampleBatched(
      std::span<const double> xs, const SampleOptions& options) const;

  // Of each row of `theta` [n x D], -inf outside the prior. InvalidArgument as
  // CheckObservation; FailedPrecondition where LeakageAt fails.
  absl::StatusOr<std::vector<double>> LogDensity(
      std::span<const double> theta, std::span<const double> x) const;
  // The same up to a constant that depends on x alone: with one estimator
  // log q itself, which needs no Z.
  absl::StatusOr<std::vector<double>> Potential(
      std::span<const double> theta, std::span<const double> x) const;
  // Potential of rows inside the prior with d/d theta [n x D]. The prior's
  // support is not checked.
  absl::Status PotentialGradient(std::span<const double> theta,
                                 std::span<const double> x,
                                 std::span<double> potential,
                                 std::span<double> gradient) const;
  // A row of `xs` [n x E] for each row of `theta`: row i of the answer is
  // LogDensity of theta_i under x_i. Z is estimated for each different x.
  absl::StatusOr<std::vector<double>> LogDensityOfPairs(
      std::span<const double> theta, std::span<const double> xs) const;

  // Z of each member, by candidates of a key of its own: at least
  // `leakage_draws`, more while fewer than 100 fell inside. Kept per x.
  // FailedPrecondition where none of max_leakage_draws did.
  absl::StatusOr<std::vector<Leakage>> LeakageAt(
      std::span<const double> x) const;
  // The part of the estimators' mass that the prior allows. Errors as
  // LeakageAt.
  absl::StatusOr<double> InsidePrior(std::span<const double> x) const;

 private:
  friend class PosteriorDraws;
  Posterior(std::vector<EnsembleMember> members,
            std::shared_ptr<const Prior> prior,
            const PosteriorOptions& options);
  // log w_m - log Z_m, or 0 for the only one.
  absl::StatusOr<std::vector<double>> LogFactors(
      std::span<const double> x) const;
  void Mix(std::span<const double> theta, std::span<const double> x,
           std::span<const double> log_factors, std::span<double> result) const;

  const std::vector<EnsembleMember> members_;  // weights add to 1
  const std::vector<double> log_weights_;
  const std::shared_ptr<const Prior> prior_;
  const PosteriorOptions options_;

  mutable std::mutex mutex_;
  mutable std::map<std::vector<double>, std::vector<Leakage>> leakage_;
};

// The draws of one key at one x, one after the other. Thread-compatible.
class PosteriorDraws {
 public:
  // REQUIRES: `posterior` and `x` outlive it.
  static absl::StatusOr<PosteriorDraws> Start(const Posterior& posterior,
                                              std::span<const double> x,
                                              DrawKey key,
                                              bool reject_outside_prior = true);

  // Appends the next n draws to `draws`, or fewer; counts are of all draws so
  // far.
  void Next(int64_t n, const DrawLimits& limits, Draws& draws);

 private:
  // One member's candidates: drawn up to `next`; those accepted but not handed
  // out yet wait.
  struct Member {
    int64_t next = 0;
    std::vector<double> theta, log_density;
    std::vector<int64_t> number;  // of each waiting candidate
    size_t waiting = 0;           // first row that was not handed out
    int64_t handed = 0;
    int64_t used = 0;  // candidates up to the last draw handed out
  };
  PosteriorDraws(const Posterior& posterior, std::span<const double> x,
                 DrawKey key, bool reject, std::vector<double> log_factors)
      : posterior_(&posterior),
        x_(x),
        key_(key),
        reject_(reject),
        log_factors_(std::move(log_factors)),
        members_(posterior.members().size()) {}
  // Draws candidates of member m until `need` wait; false where a limit came
  // first.
  bool Refill(size_t m, int64_t need, const DrawLimits& limits, DrawEnd& end);
  int64_t candidates() const;

  const Posterior* posterior_;
  std::span<const double> x_;
  DrawKey key_;
  bool reject_;
  std::vector<double> log_factors_;
  std::vector<Member> members_;
  int64_t drawn_ = 0;
};

}  // namespace somafit
