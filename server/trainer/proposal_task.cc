#include "server/trainer/proposal_task.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int64_t kMostDraws = int64_t{1} << 24;
constexpr int64_t kMostNumbers = int64_t{1} << 28;

// What a person may do about a proposal that leaks.
const char* Advice(const Problem& problem) {
  return problem.algorithm == Algorithm::kTruncatedNpe
             ? "simulate more in each round, or map parameters to unbounded "
               "ones (theta_space: unconstrained)"
             : "use the algorithm tsnpe, whose proposals do not leak, map "
               "parameters to unbounded ones (theta_space: unconstrained), or "
               "simulate more in each round";
}

}  // namespace

absl::StatusOr<DrawOutcome> DoDraws(const Problem& problem,
                                    const v1::DrawTask& task,
                                    Posteriors& posteriors, const TaskRun& run,
                                    const DrawTaskLimits& limits) {
  using Clock = std::chrono::steady_clock;
  SOMAFIT_RETURN_IF_ERROR(CheckRound(task.round()));
  const int64_t n = task.n();
  const int64_t most =
      std::min(kMostDraws, kMostNumbers / static_cast<int64_t>(problem.d()));
  if (n < 1 || n > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("a round of ", n, " draws: give 1 to ", most));
  }
  run.say("preparing the proposal");
  SOMAFIT_ASSIGN_OR_RETURN(const auto proposal,
                           posteriors.ProposalOf(problem, task.round(), run));
  run.say(absl::StrCat("drawing ", n, " parameter sets"));
  const auto begin = Clock::now();
  const auto elapsed = [begin] {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  DrawLimits draw_limits;
  draw_limits.max_candidates =
      std::max(draw_limits.max_candidates, n * limits.candidates_each);
  draw_limits.stop = [&] {
    return run.cancelled() || elapsed() > limits.seconds;
  };
  const DrawKey key{SeedOf(problem, Purpose::kDraws, 0),
                    static_cast<uint32_t>(task.round())};
  SOMAFIT_ASSIGN_OR_RETURN(Draws draws, proposal->Sample(n, key, draw_limits));
  if (run.cancelled()) {
    return absl::CancelledError("the draws are no longer wanted");
  }
  const auto found = static_cast<int64_t>(draws.log_density.size());
  if (found < n && draws.end == DrawEnd::kStopped) {
    // A faster or less busy machine may do it.
    return absl::DeadlineExceededError(absl::StrCat(
        "only ", found, " of ", n, " parameter sets of round ", task.round(),
        " were drawn in ", RoundedText(elapsed(), 3), " s: ", Advice(problem)));
  }
  if (found < n) {
    return absl::FailedPreconditionError(absl::StrCat(
        "only ", found, " of ", n, " parameter sets of round ", task.round(),
        " were drawn within the prior, from ", draws.acceptance.tries,
        " candidates in ", RoundedText(elapsed(), 3), " s: ", Advice(problem)));
  }
  DrawOutcome outcome{std::move(draws.theta), std::move(draws.messages)};
  if (proposal->kind() == ProposalKind::kTruncatedPrior &&
      proposal->messages().empty()) {
    outcome.messages.push_back(absl::StrCat(
        "the truncated prior is ",
        RoundedText(100 * proposal->coverage().value, 3), " % of the prior"));
  }
  return outcome;
}

}  // namespace somafit
