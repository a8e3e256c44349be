#include "server/posterior/posterior.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/log_sum.h"
#include "server/posterior/normal.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
// What leakage is estimated with: no round has this number.
constexpr uint32_t kLeakagePurpose = 0xffffffff;
constexpr int64_t kLeastInside = 100;
// Numbers of the different x at which Z is remembered; then all are forgotten.
constexpr size_t kMostRemembered = 1'000'000;

bool IsUnbounded(const Prior& prior) {
  return std::all_of(
      prior.support().begin(), prior.support().end(),
      [](const Support& s) { return s.lower == -kInf && s.upper == kInf; });
}

std::vector<double> LogWeights(const std::vector<EnsembleMember>& members) {
  std::vector<double> log_weights;
  for (const EnsembleMember& member : members) {
    log_weights.push_back(Log(member.weight));
  }
  NormalizeLog(log_weights);
  return log_weights;
}

}  // namespace

Posterior::Posterior(std::vector<EnsembleMember> members,
                     std::shared_ptr<const Prior> prior,
                     const PosteriorOptions& options)
    : members_(std::move(members)),
      log_weights_(LogWeights(members_)),
      prior_(std::move(prior)),
      options_(options) {}

absl::StatusOr<std::unique_ptr<const Posterior>> Posterior::Make(
    std::vector<EnsembleMember> members, std::shared_ptr<const Prior> prior,
    const PosteriorOptions& options) {
  SOMAFIT_CHECK(prior != nullptr);
  std::vector<std::string> problems;
  if (members.empty()) problems.push_back("a posterior needs an estimator");
  for (size_t m = 0; m < members.size(); ++m) {
    const DensityEstimator& estimator = *members[m].estimator;
    if (!(members[m].weight > 0) || !std::isfinite(members[m].weight)) {
      problems.push_back(absl::StrCat("weight ", m, " of the ensemble is ",
                                      ShortestText(members[m].weight),
                                      ", but must be above 0 and finite"));
    }
    if (estimator.n_parameters() != prior->size()) {
      problems.push_back(
          absl::StrCat("estimator ", m, " has ", estimator.n_parameters(),
                       " parameters and the prior ", prior->size(),
                       ": use the prior that it was trained with"));
    }
    if (estimator.n_features() != members[0].estimator->n_features()) {
      problems.push_back(absl::StrCat(
          "estimator ", m, " was trained on observations of ",
          estimator.n_features(), " numbers, estimator 0 of ",
          members[0].estimator->n_features(),
          ": an ensemble is of estimators of the same observations"));
    }
  }
  if (!problems.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));
  }
  double total = 0;
  for (const EnsembleMember& member : members) total += member.weight;
  for (EnsembleMember& member : members) member.weight /= total;
  return std::unique_ptr<const Posterior>(
      new Posterior(std::move(members), std::move(prior), options));
}

absl::Status Posterior::CheckObservation(std::span<const double> x) const {
  if (x.size() != n_features()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an observation has ", x.size(), " numbers, but the ",
                     "estimator was trained on ", n_features()));
  }
  std::vector<std::string> bad;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) {
      bad.push_back(absl::StrCat("number ", i, " is ", ShortestText(x[i])));
    }
  }
  if (bad.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "an observation must be finite numbers, but ", absl::StrJoin(bad, ", "),
      ": leave out features that the recording does not have"));
}

absl::StatusOr<std::vector<Leakage>> Posterior::LeakageAt(
    std::span<const double> x) const {
  SOMAFIT_RETURN_IF_ERROR(CheckObservation(x));
  const std::vector<double> key(x.begin(), x.end());
  {
    const std::lock_guard lock(mutex_);
    const auto known = leakage_.find(key);
    if (known != leakage_.end()) return known->second;
  }
  std::vector<Leakage> leakage(members_.size());
  for (size_t m = 0; m < members_.size(); ++m) {
    if (IsUnbounded(*prior_)) {
      leakage[m].inside = {.value = 1};
      continue;
    }
    const DrawKey draws_key =
        PartOf({options_.seed, kLeakagePurpose}, static_cast<uint32_t>(m));
    const size_t d = n_parameters();
    int64_t hits = 0, tries = 0;
    while (tries < options_.max_leakage_draws &&
           (tries < options_.leakage_draws || hits < kLeastInside)) {
      const int64_t n =
          std::min<int64_t>(10'000, options_.max_leakage_draws - tries);
      std::vector<double> theta(n * d), log_density(n);
      members_[m].estimator->Sample(x, draws_key, tries, theta, log_density);
      for (int64_t i = 0; i < n; ++i) {
        hits += prior_->Contains(std::span(theta).subspan(i * d, d));
      }
      tries += n;
    }
    if (hits == 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "none of ", tries,
          " draws of the estimator lies where the prior "
          "allows: the observation is unlike all simulations; compare it with "
          "theirs, widen the prior, or map parameters to unbounded ones"));
    }
    leakage[m].inside = ShareOf(hits, tries);
    leakage[m].log_normalizer = Log(leakage[m].inside.value);
    leakage[m].log_error = leakage[m].inside.error / leakage[m].inside.value;
  }
  const std::lock_guard lock(mutex_);
  if (leakage_.size() * x.size() >= kMostRemembered) leakage_.clear();
  leakage_[key] = leakage;
  return leakage;
}

absl::StatusOr<double> Posterior::InsidePrior(std::span<const double> x) const {
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage, LeakageAt(x));
  double inside = 0;
  for (size_t m = 0; m < leakage.size(); ++m) {
    inside += members_[m].weight * leakage[m].inside.value;
  }
  return inside;
}

absl::StatusOr<std::vector<double>> Posterior::LogFactors(
    std::span<const double> x) const {
  if (members_.size() == 1) return std::vector<double>{0};
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage, LeakageAt(x));
  std::vector<double> factors = log_weights_;
  for (size_t m = 0; m < factors.size(); ++m) {
    factors[m] -= leakage[m].log_normalizer;
  }
  return factors;
}

void Posterior::Mix(std::span<const double> theta, std::span<const double> x,
                    std::span<const double> log_factors,
                    std::span<double> result) const {
  if (result.empty()) return;
  if (members_.size() == 1) {
    members_[0].estimator->LogDensity(theta, x, result);
    for (double& one : result) one += log_factors[0];
    return;
  }
  const size_t n = result.size();
  std::vector<double> parts(n * members_.size()), row(members_.size());
  for (size_t m = 0; m < members_.size(); ++m) {
    members_[m].estimator->LogDensity(theta, x,
                                      std::span(parts).subspan(m * n, n));
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t m = 0; m < row.size(); ++m) {
      row[m] = parts[m * n + i] + log_factors[m];
    }
    result[i] = LogSumExp(row);
  }
}

absl::StatusOr<std::vector<double>> Posterior::Potential(
    std::span<const double> theta, std::span<const double> x) const {
  SOMAFIT_RETURN_IF_ERROR(CheckObservation(x));
  const size_t d = n_parameters();
  SOMAFIT_CHECK(theta.size() % d == 0);
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> factors, LogFactors(x));
  std::vector<double> result(theta.size() / d);
  Mix(theta, x, factors, result);
  for (size_t i = 0; i < result.size(); ++i) {
    if (!prior_->Contains(theta.subspan(i * d, d))) result[i] = -kInf;
  }
  return result;
}

absl::StatusOr<std::vector<double>> Posterior::LogDensity(
    std::span<const double> theta, std::span<const double> x) const {
  SOMAFIT_ASSIGN_OR_RETURN(std::vector<double> result, Potential(theta, x));
  if (members_.size() > 1) return result;  // normalized member by member
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage, LeakageAt(x));
  for (double& one : result) one -= leakage[0].log_normalizer;
  return result;
}

absl::Status Posterior::PotentialGradient(std::span<const double> theta,
                                          std::span<const double> x,
                                          std::span<double> potential,
                                          std::span<double> gradient) const {
  SOMAFIT_RETURN_IF_ERROR(CheckObservation(x));
  const size_t n = potential.size(), d = n_parameters();
  SOMAFIT_CHECK(theta.size() == n * d && gradient.size() == n * d);
  if (members_.size() == 1) {
    members_[0].estimator->LogDensityGradient(theta, x, potential, gradient);
    return absl::OkStatus();
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> factors, LogFactors(x));
  std::vector<std::vector<double>> parts(members_.size()),
      gradients(members_.size());
  for (size_t m = 0; m < members_.size(); ++m) {
    parts[m].resize(n);
    gradients[m].resize(n * d);
    members_[m].estimator->LogDensityGradient(theta, x, parts[m], gradients[m]);
  }
  std::vector<double> row(members_.size());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t m = 0; m < row.size(); ++m) row[m] = parts[m][i] + factors[m];
    potential[i] = LogSumExp(row);
    for (size_t m = 0; m < row.size(); ++m) {
      const double share = Exp(row[m] - potential[i]);
      for (size_t k = i * d; k < (i + 1) * d; ++k) {
        if (share > 0) gradient[k] += share * gradients[m][k];
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Posterior::LogDensityOfPairs(
    std::span<const double> theta, std::span<const double> xs) const {
  const size_t d = n_parameters(), e = n_features();
  const size_t n = theta.size() / d;
  SOMAFIT_CHECK(theta.size() == n * d && xs.size() == n * e);
  for (size_t i = 0; i < n; ++i) {
    SOMAFIT_RETURN_IF_ERROR(CheckObservation(xs.subspan(i * e, e)));
  }
  std::vector<std::vector<double>> parts(members_.size());
  for (size_t m = 0; m < members_.size(); ++m) {
    parts[m].resize(n);
    members_[m].estimator->LogDensityOfPairs(theta, xs, parts[m]);
  }
  std::vector<double> result(n), row(members_.size());
  for (size_t i = 0; i < n; ++i) {
    if (!prior_->Contains(theta.subspan(i * d, d))) {
      result[i] = -kInf;
      continue;
    }
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage,
                             LeakageAt(xs.subspan(i * e, e)));
    for (size_t m = 0; m < row.size(); ++m) {
      row[m] = parts[m][i] + log_weights_[m] - leakage[m].log_normalizer;
    }
    result[i] = LogSumExp(row);
  }
  return result;
}

absl::StatusOr<Draws> Posterior::Sample(std::span<const double> x,
                                        const SampleOptions& options) const {
  SOMAFIT_ASSIGN_OR_RETURN(PosteriorDraws source,
                           PosteriorDraws::Start(*this, x, options.key,
                                                 options.reject_outside_prior));
  Draws draws;
  source.Next(options.n, options.limits, draws);
  DescribeEnd(draws, options.n);
  if (!options.reject_outside_prior && options.n > 0) {
    const size_t d = n_parameters();
    int64_t outside = 0;
    for (size_t i = 0; i < draws.log_density.size(); ++i) {
      outside += !prior_->Contains(std::span(draws.theta).subspan(i * d, d));
    }
    const double share =
        static_cast<double>(outside) / static_cast<double>(options.n);
    if (share > 0.05) {
      draws.messages.push_back(
          absl::StrCat(RoundedText(100 * share, 2),
                       " % of the draws lie where the prior allows none: use "
                       "reject_outside_prior=true, unless they are wanted"));
    }
  }
  return draws;
}

absl::StatusOr<std::vector<Draws>> Posterior::SampleBatched(
    std::span<const double> xs, const SampleOptions& options) const {
  const size_t e = n_features();
  if (xs.size() % e != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("observations of ", e, " numbers each cannot be ",
                     xs.size(), " numbers in all"));
  }
  for (size_t i = 0; i < xs.size(); i += e) {
    if (absl::Status status = CheckObservation(xs.subspan(i, e));
        !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "observation ", i / e, ": ", std::string(status.message())));
    }
  }
  std::vector<Draws> all;
  SampleOptions one = options;
  for (size_t i = 0; i < xs.size(); i += e) {
    one.key = PartOf(options.key, static_cast<uint32_t>(i / e));
    SOMAFIT_ASSIGN_OR_RETURN(Draws draws, Sample(xs.subspan(i, e), one));
    all.push_back(std::move(draws));
  }
  return all;
}

}  // namespace somafit
