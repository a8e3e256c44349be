#include "server/posterior/rejection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "server/posterior/ascent.h"
#include "server/posterior/normal.h"
#include "server/posterior/unconstrained.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/random.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr uint32_t kPilotPart = 0xffffffff;
constexpr size_t kClimbers = 20;

struct Accepted {
  std::vector<double> theta;
  double log_ratio, log_uniform;
  bool Passes(double log_bound) const {
    // False where both are -inf.
    return log_uniform < log_ratio - log_bound;
  }
};

// log max of target / prior, of draws and of climbs from the best of them.
absl::StatusOr<double> PilotBound(const LogTarget& target, const Prior& prior,
                                  const PriorRejectionOptions& options) {
  const size_t d = prior.size();
  std::vector<double> theta, log_ratio;
  SOMAFIT_RETURN_IF_ERROR(
      PriorCandidates(target, prior, PartOf(options.key, kPilotPart))(
          options.pilot_draws, theta, log_ratio));
  double bound = -kInf;
  for (const double one : log_ratio) bound = std::max(bound, one);
  if (!options.ratio_gradient || !std::isfinite(bound)) return bound;
  std::vector<size_t> order(log_ratio.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t n = std::min(kClimbers, order.size());
  std::partial_sort(order.begin(), order.begin() + n, order.end(),
                    [&](size_t a, size_t b) {
                      return log_ratio[a] > log_ratio[b] ||
                             (log_ratio[a] == log_ratio[b] && a < b);
                    });
  const UnconstrainedMap map(prior);
  std::vector<double> starts(n * d);
  for (size_t i = 0; i < n; ++i) {
    map.ToUnconstrained(std::span(theta).subspan(order[i] * d, d),
                        std::span(starts).subspan(i * d, d));
  }
  const auto objective = [&](std::span<const double> u, std::span<double> value,
                             std::span<double> gradient) {
    std::vector<double> at(u.size()), slope(d);
    for (size_t i = 0; i < u.size(); i += d) {
      map.FromUnconstrained(u.subspan(i, d), std::span(at).subspan(i, d));
    }
    options.ratio_gradient(at, value, gradient);
    for (size_t i = 0; i < u.size(); i += d) {
      map.Derivative(u.subspan(i, d), slope);
      for (size_t k = 0; k < d; ++k) gradient[i + k] *= slope[k];
    }
  };
  AscentOptions ascent;
  ascent.max_evaluations = 100;
  ascent.stop = options.limits.stop;
  for (const Ascent& climbed : Ascend(objective, starts, d, ascent)) {
    if (std::isfinite(climbed.value)) bound = std::max(bound, climbed.value);
  }
  return bound;
}

}  // namespace

CandidateSource PriorCandidates(const LogTarget& target, const Prior& prior,
                                DrawKey key) {
  return [&target, &prior, key, next = int64_t{0}](
             int64_t n, std::vector<double>& theta,
             std::vector<double>& log_ratio) mutable -> absl::Status {
    const size_t d = prior.size();
    n = std::min(n, (int64_t{1} << 32) - next);
    const size_t before = log_ratio.size();
    theta.resize((before + n) * d);
    log_ratio.resize(before + n);
    const auto rows = std::span(theta).subspan(before * d);
    SamplePrior(prior, key, next, rows);
    next += n;
    const auto values = std::span(log_ratio).subspan(before);
    target(rows, values);
    for (int64_t i = 0; i < n; ++i) {
      values[i] -= prior.LogDensity(rows.subspan(i * d, d));
    }
    return absl::OkStatus();
  };
}

absl::StatusOr<RejectionDraws> RejectionSample(
    const CandidateSource& source, size_t d, const RejectionOptions& options) {
  RejectionDraws result;
  result.log_bound = options.log_bound;
  std::vector<Accepted> accepted;
  int64_t tried = 0;
  DrawEnd end = DrawEnd::kComplete;
  while (static_cast<int64_t>(accepted.size()) < options.n) {
    if (options.limits.stop && options.limits.stop()) {
      end = DrawEnd::kStopped;
      break;
    }
    const double rate = static_cast<double>(accepted.size() + 1) /
                        static_cast<double>(tried + 1);
    const double wanted =
        1.1 *
        static_cast<double>(options.n - static_cast<int64_t>(accepted.size())) /
        rate;
    const int64_t n = std::min(
        {std::min(options.limits.max_candidates, int64_t{1} << 32) - tried,
         std::max<int64_t>(options.limits.batch, 1),
         static_cast<int64_t>(std::clamp(wanted, 100.0, 1e9))});
    std::vector<double> theta, log_ratio;
    if (n > 0) SOMAFIT_RETURN_IF_ERROR(source(n, theta, log_ratio));
    if (log_ratio.empty()) {
      end = DrawEnd::kMaxCandidates;
      break;
    }
    for (size_t i = 0; i < log_ratio.size() &&
                       static_cast<int64_t>(accepted.size()) < options.n;
         ++i, ++tried) {
      if (std::isnan(log_ratio[i]) || log_ratio[i] == kInf) {
        return absl::FailedPreconditionError(absl::StrCat(
            "the density to draw from is ", ShortestText(log_ratio[i]),
            " at candidate ", tried,
            ": it must be a finite number, or 0, wherever the prior allows"));
      }
      if (log_ratio[i] > result.log_bound) {
        ++result.violations;
        result.log_bound = log_ratio[i] + options.log_margin;
        std::erase_if(accepted, [&](const Accepted& one) {
          return !one.Passes(result.log_bound);
        });
      }
      RandomStream random(options.key.seed, StreamPurpose::kAcceptance,
                          options.key.purpose, static_cast<uint32_t>(tried));
      Accepted one{{theta.begin() + i * d, theta.begin() + (i + 1) * d},
                   log_ratio[i],
                   Log(OpenUniform(random))};
      if (one.Passes(result.log_bound)) accepted.push_back(std::move(one));
    }
  }
  Draws& draws = result.draws;
  for (const Accepted& one : accepted) {
    draws.theta.insert(draws.theta.end(), one.theta.begin(), one.theta.end());
    draws.log_density.push_back(one.log_ratio);
  }
  draws.end = end;
  const auto hits = static_cast<int64_t>(accepted.size());
  draws.acceptance = end == DrawEnd::kComplete ? ShareUntilHit(hits, tried)
                                               : ShareOf(hits, tried);
  DescribeEnd(draws, options.n);
  if (result.violations > 0) {
    draws.messages.push_back(absl::StrCat(
        result.violations,
        " candidates were likelier than the bound of the "
        "rejection allowed; it was raised and earlier draws tested again"));
  }
  return result;
}

absl::StatusOr<RejectionDraws> SampleFromTarget(
    const LogTarget& target, const Prior& prior,
    const PriorRejectionOptions& options) {
  if (!(options.margin >= 1 && std::isfinite(options.margin))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the margin on the bound is ",
                     ShortestText(options.margin), ", but must be at least 1"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(const double bound,
                           PilotBound(target, prior, options));
  const double log_margin = Log(options.margin);
  return RejectionSample(PriorCandidates(target, prior, options.key),
                         prior.size(),
                         {.n = options.n,
                          .key = options.key,
                          .limits = options.limits,
                          .log_bound = bound + log_margin,
                          .log_margin = log_margin});
}

}  // namespace somafit
