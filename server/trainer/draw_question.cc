// Draws and densities, at one observation or at several.

#include "server/trainer/draw_question.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/posterior_sampling.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

using Clock = std::chrono::steady_clock;
using Numbers = google::protobuf::RepeatedField<double>;

constexpr int kMostMessages = 20;

int64_t CountInside(const Problem& problem, std::span<const double> theta) {
  const size_t d = problem.d();
  int64_t inside = 0;
  for (size_t i = 0; i < theta.size(); i += d) {
    inside += problem.prior->Contains(theta.subspan(i, d));
  }
  return inside;
}

// Checks everything but x; all mistakes at once.
absl::StatusOr<SamplingOptions> OptionsOf(const Problem& problem, int64_t n_x,
                                          const v1::DrawQuery& query) {
  std::vector<std::string> problems;
  const int64_t most =
      std::min(kMostRows, kMostNumbers / static_cast<int64_t>(problem.d())) /
      n_x;
  if (query.n() < 1 || query.n() > most) {
    problems.push_back(
        absl::StrCat("n is ", query.n(), ": ask for 1 to ", most, " draws",
                     n_x > 1 ? absl::StrCat(" of each of ", n_x, " x") : ""));
  }
  if (!(query.max_seconds() >= 0)) {
    problems.push_back(absl::StrCat("max_seconds is ",
                                    ShortestText(query.max_seconds()),
                                    ": give seconds, or 0 for no limit"));
  }
  SamplingOptions options;
  options.keep_outside_prior = query.keep_outside_prior();
  if (query.oversampling_factor() != 0) {
    options.oversampling_factor = query.oversampling_factor();
  }
  const auto sample_with = ReadSampleWith(query.sample_with());
  if (sample_with.ok()) {
    options.sample_with = *sample_with;
  } else {
    problems.push_back(absl::StrCat(
        "sample_with: ", std::string(sample_with.status().message())));
  }
  for (std::string& problem_found :
       CheckSampling(options, std::min(query.n(), kMostRows) * n_x)) {
    problems.push_back(std::move(problem_found));
  }
  if (problems.empty()) return options;
  return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));
}

}  // namespace

void Set(std::span<const double> values, Numbers* field) {
  field->Add(values.begin(), values.end());
}

absl::Status CheckRows(const Problem& problem, const char* what,
                       const Numbers& rows, int64_t most) {
  const auto d = static_cast<int>(problem.d());
  if (rows.empty() || rows.size() % d != 0 || rows.size() / d > most) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", rows.size(), " numbers: give 1 to ", most,
                     " rows of ", d, " parameters"));
  }
  for (int i = 0; i < rows.size(); ++i) {
    if (std::isfinite(rows[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        what, ", row ", i / d, ": ", Quoted(problem.parameters[i % d]), " is ",
        ShortestText(rows[i]), ", but must be finite"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::PosteriorAnswer> AnswerDraws(const Problem& problem,
                                                const PosteriorFor& posterior,
                                                std::span<const double> xs,
                                                const v1::DrawQuery& query,
                                                const TaskRun& run) {
  const size_t e = problem.e(), n_x = xs.size() / e;
  SOMAFIT_ASSIGN_OR_RETURN(
      const SamplingOptions options,
      OptionsOf(problem, static_cast<int64_t>(n_x), query));
  const auto begin = Clock::now();
  const auto late = [&] {
    return query.max_seconds() > 0 &&
           std::chrono::duration<double>(Clock::now() - begin).count() >
               query.max_seconds();
  };
  DrawLimits limits;
  limits.max_candidates = std::max(limits.max_candidates, 1000 * query.n());
  limits.stop = [&] { return run.cancelled() || late(); };
  const DrawKey key{query.seed(), kAskPurpose};
  v1::PosteriorAnswer answer;
  int64_t found = 0, candidates = 0, accepted = 0;
  bool stopped = false;
  std::vector<std::string> messages;
  for (size_t i = 0; i < n_x; ++i) {
    const auto x = xs.subspan(i * e, e);
    const std::string which =
        n_x > 1 ? absl::StrCat("observation ", i, ": ") : "";
    run.say(absl::StrCat(which, "drawing ", query.n(), " times"));
    absl::StatusOr<Draws> draws = Draws();
    if (n_x > 1 && (run.cancelled() || late())) {
      draws->end = DrawEnd::kStopped;
    } else {
      SOMAFIT_ASSIGN_OR_RETURN(const auto at_x, posterior(x));
      draws =
          SamplePosterior(at_x, x, query.n(),
                          n_x > 1 ? PartOf(key, static_cast<uint32_t>(i)) : key,
                          limits, options);
    }
    if (!draws.ok()) {
      return absl::Status(
          draws.status().code(),
          absl::StrCat(which, std::string(draws.status().message())));
    }
    Set(draws->theta, answer.mutable_theta());
    Set(draws->log_density, answer.mutable_log_density());
    const auto n = static_cast<int64_t>(draws->log_density.size());
    if (n_x > 1) answer.add_draws_of_x(n);
    found += n;
    candidates += draws->acceptance.tries;
    accepted += query.keep_outside_prior() ? CountInside(problem, draws->theta)
                                           : draws->acceptance.hits;
    stopped = stopped || draws->end == DrawEnd::kStopped;
    for (const std::string& message : draws->messages) {
      messages.push_back(absl::StrCat(which, message));
    }
  }
  answer.set_candidates(candidates);
  answer.set_accepted(accepted);
  const auto wanted = query.n() * static_cast<int64_t>(n_x);
  if (found < wanted) {
    answer.set_incomplete(absl::StrCat(
        found, " of ", wanted, " draws after ", candidates, " candidates: ",
        stopped
            ? absl::StrCat("max_seconds = ", ShortestText(query.max_seconds()),
                           " have passed")
            : "too few of them were accepted"));
  }
  const auto n_messages = static_cast<int>(messages.size());
  for (int i = 0; i < std::min(n_messages, kMostMessages); ++i) {
    answer.add_messages(messages[i]);
  }
  if (n_messages > kMostMessages) {
    answer.add_messages(
        absl::StrCat(n_messages - kMostMessages, " more of this kind"));
  }
  return answer;
}

absl::StatusOr<v1::PosteriorAnswer> AnswerDensities(
    const Problem& problem, const PosteriorFor& posterior,
    std::span<const double> xs, const v1::DensityQuery& query,
    const TaskRun& run) {
  SOMAFIT_RETURN_IF_ERROR(
      CheckRows(problem, "theta", query.theta(), kMostRows));
  const size_t e = problem.e(), n_x = xs.size() / e, d = problem.d();
  const std::span<const double> theta(query.theta().data(),
                                      query.theta().size());
  const size_t n = theta.size() / d / n_x;
  if (theta.size() != n * n_x * d) {
    return absl::InvalidArgumentError(
        absl::StrCat("theta has ", theta.size() / d, " rows for ", n_x,
                     " x: give as many for each of them"));
  }
  v1::PosteriorAnswer answer;
  for (size_t i = 0; i < n_x; ++i) {
    if (run.cancelled()) {
      return absl::CancelledError("the answer is no longer wanted");
    }
    run.say("evaluating densities");
    const auto x = xs.subspan(i * e, e);
    const auto rows = theta.subspan(i * n * d, n * d);
    SOMAFIT_ASSIGN_OR_RETURN(const auto at_x, posterior(x));
    const auto log_density = query.unnormalized() ? at_x->Potential(rows, x)
                                                  : at_x->LogDensity(rows, x);
    if (!log_density.ok()) {
      return absl::Status(
          log_density.status().code(),
          absl::StrCat(n_x > 1 ? absl::StrCat("observation ", i, ": ") : "",
                       std::string(log_density.status().message())));
    }
    Set(*log_density, answer.mutable_log_density());
  }
  return answer;
}

}  // namespace somafit
