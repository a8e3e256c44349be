// Drawing from a posterior: candidates of each member are numbered, so that
// the answer does not depend on how many are drawn at a time.

#include <algorithm>
#include <cmath>

#include "server/posterior/log_sum.h"
#include "server/posterior/normal.h"
#include "server/posterior/posterior.h"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Bits of the stream that picks members; drawn numbers are below 2^32.
size_t MemberOf(const std::vector<double>& log_weights, DrawKey key,
                int64_t draw) {
  if (log_weights.size() == 1) return 0;
  RandomStream random(key.seed, StreamPurpose::kMember, key.purpose,
                      static_cast<uint32_t>(draw));
  return DrawIndex(log_weights, OpenUniform(random));
}

}  // namespace

absl::StatusOr<PosteriorDraws> PosteriorDraws::Start(
    const Posterior& posterior, std::span<const double> x, DrawKey key,
    bool reject_outside_prior) {
  SOMAFIT_RETURN_IF_ERROR(posterior.CheckObservation(x));
  SOMAFIT_ASSIGN_OR_RETURN(std::vector<double> factors,
                           posterior.LogFactors(x));
  return PosteriorDraws(posterior, x, key, reject_outside_prior,
                        std::move(factors));
}

int64_t PosteriorDraws::candidates() const {
  int64_t sum = 0;
  for (const Member& member : members_) sum += member.next;
  return sum;
}

bool PosteriorDraws::Refill(size_t m, int64_t need, const DrawLimits& limits,
                            DrawEnd& end) {
  Member& member = members_[m];
  const size_t d = posterior_->n_parameters();
  const auto waiting = [&] {
    return static_cast<int64_t>(member.number.size() - member.waiting);
  };
  if (waiting() >= need) return true;
  const auto handed = static_cast<std::ptrdiff_t>(member.waiting);
  member.theta.erase(member.theta.begin(),
                     member.theta.begin() + handed * std::ptrdiff_t(d));
  member.log_density.erase(member.log_density.begin(),
                           member.log_density.begin() + handed);
  member.number.erase(member.number.begin(), member.number.begin() + handed);
  member.waiting = 0;
  const DrawKey key =
      members_.size() == 1 ? key_ : PartOf(key_, static_cast<uint32_t>(m));
  while (waiting() < need) {
    if (limits.stop && limits.stop()) {
      end = DrawEnd::kStopped;
      return false;
    }
    const int64_t left = std::min(limits.max_candidates - candidates(),
                                  (int64_t{1} << 32) - member.next);
    if (left <= 0) {
      end = DrawEnd::kMaxCandidates;
      return false;
    }
    // As many as will do if as many are accepted as before.
    const double accepted = static_cast<double>(member.handed + waiting() + 1) /
                            static_cast<double>(member.next + 1);
    const double wanted =
        std::ceil(1.1 * static_cast<double>(need - waiting()) / accepted);
    const int64_t n =
        std::min({left, std::max<int64_t>(limits.batch, 1),
                  static_cast<int64_t>(std::clamp(wanted, 100.0, 1e9))});
    std::vector<double> theta(n * d), log_density(n);
    posterior_->members()[m].estimator->Sample(x_, key, member.next, theta,
                                               log_density);
    for (int64_t i = 0; i < n; ++i) {
      const auto row = std::span(theta).subspan(i * d, d);
      if (reject_ && !posterior_->prior().Contains(row)) continue;
      member.theta.insert(member.theta.end(), row.begin(), row.end());
      member.log_density.push_back(log_density[i]);
      member.number.push_back(member.next + i);
    }
    member.next += n;
  }
  return true;
}

void PosteriorDraws::Next(int64_t n, const DrawLimits& limits, Draws& draws) {
  const size_t d = posterior_->n_parameters();
  std::vector<size_t> picks;
  std::vector<int64_t> need(members_.size());
  for (int64_t i = 0; i < n; ++i) {
    picks.push_back(MemberOf(posterior_->log_weights_, key_, drawn_ + i));
    ++need[picks.back()];
  }
  draws.end = DrawEnd::kComplete;
  for (size_t m = 0; m < members_.size(); ++m) {
    // What waits of the others is handed out nevertheless.
    if (need[m] > 0 && !Refill(m, need[m], limits, draws.end)) break;
  }
  const size_t before = draws.log_density.size();
  for (const size_t m : picks) {
    Member& member = members_[m];
    const size_t row = member.waiting;
    if (row == member.number.size()) break;
    draws.theta.insert(draws.theta.end(), member.theta.begin() + row * d,
                       member.theta.begin() + (row + 1) * d);
    draws.log_density.push_back(member.log_density[row]);
    member.used = member.number[row] + 1;
    ++member.waiting;
    ++member.handed;
    ++drawn_;
  }
  if (members_.size() > 1) {
    posterior_->Mix(std::span(draws.theta).subspan(before * d), x_,
                    log_factors_, std::span(draws.log_density).subspan(before));
  }
  if (draws.end == DrawEnd::kComplete) {
    int64_t used = 0;
    for (const Member& member : members_) used += member.used;
    draws.acceptance = ShareUntilHit(drawn_, used);
  } else {
    draws.acceptance = ShareOf(drawn_, candidates());
  }
}

}  // namespace somafit
