#include "server/posterior/resampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/log_sum.h"
#include "server/posterior/normal.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/number.h"
#include "worker/core/base/random.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr size_t kLeastWeights = 25;
constexpr double kPoorShape = 0.7;
// Candidates of a group that count, on average: below, draws show what they
// were picked from.
constexpr double kFewEffective = 3;

double EffectiveSamples(std::span<const double> log_weights) {
  double greatest = -kInf;
  for (const double one : log_weights) greatest = std::max(greatest, one);
  if (greatest == -kInf) return 0;
  double sum = 0, squares = 0;
  for (const double one : log_weights) {
    const double weight = Exp(one - greatest);
    sum += weight;
    squares += weight * weight;
  }
  return sum * sum / squares;
}

void Describe(ResampledDraws& result, const ResamplingOptions& options,
              int64_t tried) {
  std::vector<std::string>& messages = result.draws.messages;
  const double per_group = result.effective_samples *
                           static_cast<double>(options.oversampling) /
                           static_cast<double>(std::max<int64_t>(tried, 1));
  std::string how =
      absl::StrCat("each draw is picked from ", options.oversampling,
                   " candidates by importance: an effective sample size of ",
                   RoundedText(result.effective_samples, 3), " of ", tried,
                   " candidates, ", RoundedText(per_group, 2), " a draw");
  if (!std::isnan(result.pareto_shape)) {
    absl::StrAppend(&how, "; Pareto shape ",
                    RoundedText(result.pareto_shape, 2));
  }
  messages.push_back(std::move(how));
  if (per_group < kFewEffective || result.pareto_shape > kPoorShape) {
    messages.push_back(
        "few candidates count: draws lie closer to where the candidates are "
        "than they should; raise oversampling_factor, or sample in another "
        "way");
  }
}

}  // namespace

absl::StatusOr<ResampledDraws> Resample(const CandidateSource& source, size_t d,
                                        const ResamplingOptions& options) {
  const int64_t m = options.oversampling;
  SOMAFIT_CHECK(m > 0);
  ResampledDraws result;
  Draws& draws = result.draws;
  const int64_t most =
      std::min(options.limits.max_candidates, int64_t{1} << 32) / m * m;
  std::vector<double> log_weights;  // of all candidates
  const auto found = [&] {
    return static_cast<int64_t>(draws.log_density.size());
  };
  while (found() < options.n) {
    if (options.limits.stop && options.limits.stop()) {
      draws.end = DrawEnd::kStopped;
      break;
    }
    const auto tried = static_cast<int64_t>(log_weights.size());
    // Whole groups, so that none is cut in two.
    const int64_t groups =
        std::min({(most - tried) / m, options.n - found(),
                  std::max<int64_t>(options.limits.batch / m, 1)});
    std::vector<double> theta, log_ratio;
    if (groups > 0)
      SOMAFIT_RETURN_IF_ERROR(source(groups * m, theta, log_ratio));
    if (static_cast<int64_t>(log_ratio.size()) < m) {
      draws.end = DrawEnd::kMaxCandidates;
      break;
    }
    for (size_t i = 0; i < log_ratio.size(); ++i) {
      if (!std::isnan(log_ratio[i]) && log_ratio[i] != kInf) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          "the density to draw from is ", ShortestText(log_ratio[i]),
          " at candidate ", tried + static_cast<int64_t>(i),
          ": it must be a finite number, or 0, wherever the prior allows"));
    }
    for (size_t first = 0; first + m <= log_ratio.size(); first += m) {
      std::vector<double> group(log_ratio.begin() + first,
                                log_ratio.begin() + first + m);
      const int64_t number = (tried + static_cast<int64_t>(first)) / m;
      if (*std::max_element(group.begin(), group.end()) == -kInf) continue;
      NormalizeLog(group);
      RandomStream random(options.key.seed, StreamPurpose::kAcceptance,
                          options.key.purpose, static_cast<uint32_t>(number));
      const size_t row = first + DrawIndex(group, OpenUniform(random));
      draws.theta.insert(draws.theta.end(), theta.begin() + row * d,
                         theta.begin() + (row + 1) * d);
      draws.log_density.push_back(log_ratio[row]);
    }
    log_weights.insert(log_weights.end(), log_ratio.begin(), log_ratio.end());
  }
  const auto tried = static_cast<int64_t>(log_weights.size());
  draws.acceptance = ShareOf(found(), tried);
  result.effective_samples = EffectiveSamples(log_weights);
  result.pareto_shape = ParetoShape(log_weights);
  if (draws.end != DrawEnd::kComplete) {
    draws.messages.push_back(absl::StrCat(
        found(), " of ", options.n, " draws after ", tried, " candidates: ",
        draws.end == DrawEnd::kStopped
            ? "stopped"
            : "the limit on candidates; raise it, or sample in another way"));
  }
  Describe(result, options, tried);
  return result;
}

double ParetoShape(std::span<const double> log_weights) {
  std::vector<double> sorted;
  for (const double one : log_weights) {
    if (one > -kInf) sorted.push_back(one);
  }
  const double n_all = static_cast<double>(sorted.size());
  const auto n_tail =
      static_cast<size_t>(std::min(n_all / 5, 3 * std::sqrt(n_all)));
  if (n_tail < kLeastWeights / 5) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const auto cut = sorted.end() - std::ptrdiff_t(n_tail) - 1;
  std::nth_element(sorted.begin(), cut, sorted.end());
  std::sort(cut, sorted.end());
  const double greatest = sorted.back(), threshold = Exp(*cut - greatest);
  std::vector<double> x;  // ascending excesses
  for (auto at = cut + 1; at != sorted.end(); ++at) {
    x.push_back(Exp(*at - greatest) - threshold);
  }
  const double n = static_cast<double>(n_tail);
  const double quartile = x[static_cast<size_t>(n / 4 + 0.5) - 1];
  // Equal weights have no tail at all.
  if (!(quartile > 0)) return -kInf;
  const auto shape_at = [&](double b) {
    double sum = 0;
    for (const double one : x) sum += Log1p(-b * one);
    return sum / n;
  };
  const auto n_grid = static_cast<size_t>(30 + std::floor(std::sqrt(n)));
  std::vector<double> grid(n_grid), profile(n_grid);
  for (size_t i = 0; i < n_grid; ++i) {
    grid[i] = 1 / x.back() + (1 - std::sqrt(static_cast<double>(n_grid) /
                                            (static_cast<double>(i) + 0.5))) /
                                 (3 * quartile);
    const double k = shape_at(grid[i]);
    profile[i] = n * (Log(-grid[i] / k) - k - 1);
  }
  NormalizeLog(profile);
  double b = 0;
  for (size_t i = 0; i < n_grid; ++i) b += Exp(profile[i]) * grid[i];
  return (shape_at(b) * n + 5) / (n + 10);
}

}  // namespace somafit
