#include "server/trainer/question_task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/conditional.h"
#include "server/posterior/map_estimate.h"
#include "server/posterior/posterior_sampling.h"
#include "server/trainer/draw_question.h"
#include "server/trainer/proposal_task.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

using Numbers = google::protobuf::RepeatedField<double>;

constexpr int kMostResolution = 1000;
constexpr uint32_t kGridPurpose = 0xfffffff1;

// A question about one posterior at one x.
class Question {
 public:
  Question(const Problem& problem, std::shared_ptr<const Posterior> posterior,
           std::vector<double> x, const TaskRun& run)
      : problem_(problem),
        posterior_(std::move(posterior)),
        x_(std::move(x)),
        run_(run) {}

  absl::StatusOr<v1::PosteriorAnswer> Answer(const v1::MapQuery& query) const {
    const int64_t n_starts =
        query.num_init_samples() == 0 ? 1000 : query.num_init_samples();
    const int64_t n_best = query.num_to_optimize() == 0
                               ? std::min<int64_t>(100, n_starts)
                               : query.num_to_optimize();
    if (n_starts < 1 || n_starts > kMostRows || n_best < 1 ||
        n_best > n_starts) {
      return absl::InvalidArgumentError(absl::StrCat(
          "num_init_samples = ", n_starts, " and num_to_optimize = ", n_best,
          ": give at most ", kMostRows,
          " of the first, and at most as many "
          "of the second"));
    }
    run_.say("looking for the maximum");
    MapOptions options;
    options.n_starts = n_starts;
    options.n_best = n_best;
    options.key = {query.seed(), kAskPurpose};
    options.limits.stop = run_.cancelled;
    SOMAFIT_ASSIGN_OR_RETURN(const double inside, posterior_->InsidePrior(x_));
    if (inside < kFewAccepted) options.start = MapOptions::Start::kPrior;
    SOMAFIT_ASSIGN_OR_RETURN(const MapEstimate found,
                             FindMap(*posterior_, x_, options));
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> log_density,
                             posterior_->LogDensity(found.theta, x_));
    v1::PosteriorAnswer answer;
    Set(found.theta, answer.mutable_theta());
    Set(log_density, answer.mutable_log_density());
    if (!found.converged) {
      answer.add_messages(
          "the search did not converge: ask with more num_to_optimize");
    }
    std::vector<std::string> at_bound;
    for (size_t i = 0; i < problem_.d(); ++i) {
      if (found.at_bound[i]) at_bound.push_back(problem_.parameters[i]);
    }
    if (!at_bound.empty()) {
      answer.add_messages(absl::StrCat(
          "the maximum is at the prior's bound of ",
          absl::StrJoin(at_bound, ", "),
          ": the density still grows there; widen it if that makes sense"));
    }
    return answer;
  }

  absl::StatusOr<v1::PosteriorAnswer> Answer(
      const v1::ConditionalQuery& query) const {
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<int> subset, SubsetOf(query));
    const int64_t resolution = query.resolution() == 0
                                   ? static_cast<int64_t>(kPlotGrid)
                                   : query.resolution();
    if (resolution < 2 || resolution > kMostResolution) {
      return absl::InvalidArgumentError(absl::StrCat(
          "resolution is ", resolution, ", not 2 to ", kMostResolution));
    }
    SOMAFIT_RETURN_IF_ERROR(CheckRows(problem_, "condition", query.condition(),
                                      query.correlations() ? 10'000 : 1));
    const auto size = static_cast<int64_t>(subset.size());
    const int64_t n_rows =
        query.condition_size() / static_cast<int64_t>(problem_.d());
    // Of densities that are evaluated.
    const int64_t cells = size * (size - 1) / 2 * resolution * resolution;
    if (cells * n_rows > 16 * kMostNumbers ||
        (!query.correlations() && cells > kMostNumbers)) {
      return absl::InvalidArgumentError(
          absl::StrCat(cells * n_rows,
                       " points of grids are too many: ask for fewer "
                       "parameters, rows, or a lower resolution"));
    }
    return query.correlations() ? Correlations(query, subset, resolution)
                                : Grids(query, subset, resolution);
  }

 private:
  absl::StatusOr<std::vector<int>> SubsetOf(
      const v1::ConditionalQuery& query) const {
    std::vector<int> subset(query.subset().begin(), query.subset().end());
    if (subset.empty()) {
      subset.resize(problem_.d());
      std::iota(subset.begin(), subset.end(), 0);
    }
    std::set<int> seen;
    for (const int i : subset) {
      if (i >= 0 && static_cast<size_t>(i) < problem_.d() &&
          seen.insert(i).second) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "subset names parameter ", i,
          ": give different numbers of parameters, 0 to ", problem_.d() - 1));
    }
    return subset;
  }

  // What grids cover: where the posterior has its draws and the conditions lie,
  // a tenth wider, within the prior's support. Over the whole support a narrow
  // posterior would fall between two points.
  absl::StatusOr<std::vector<Range>> Limits(const Numbers& conditions) const {
    constexpr int64_t kDraws = 2000;
    DrawLimits draw_limits;
    draw_limits.stop = run_.cancelled;
    SOMAFIT_ASSIGN_OR_RETURN(
        const Draws draws, SamplePosterior(posterior_, x_, kDraws,
                                           {0, kGridPurpose}, draw_limits, {}));
    std::vector<Range> limits;
    const auto d = static_cast<int>(problem_.d());
    for (int i = 0; i < d; ++i) {
      Range range{conditions[i], conditions[i]};
      const auto take = [&](double value) {
        range.low = std::min(range.low, value);
        range.high = std::max(range.high, value);
      };
      for (int row = i; row < conditions.size(); row += d) {
        take(conditions[row]);
      }
      for (size_t row = static_cast<size_t>(i); row < draws.theta.size();
           row += static_cast<size_t>(d)) {
        take(draws.theta[row]);
      }
      const double wider = 0.1 * (range.high - range.low);
      const Support& support = problem_.prior->support()[i];
      range.low = std::max(range.low - wider, support.lower);
      range.high = std::min(range.high + wider, support.upper);
      limits.push_back(range);
    }
    return limits;
  }

  LogDensityFunction Density() const {
    return [this](std::span<const double> theta)
               -> absl::StatusOr<std::vector<double>> {
      if (run_.cancelled()) {
        return absl::CancelledError("the answer is no longer wanted");
      }
      return posterior_->Potential(theta, x_);
    };
  }

  absl::StatusOr<v1::PosteriorAnswer> Grids(const v1::ConditionalQuery& query,
                                            const std::vector<int>& subset,
                                            int64_t resolution) const {
    run_.say("evaluating conditional densities");
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Range> limits,
                             Limits(query.condition()));
    const std::span<const double> condition(query.condition().data(),
                                            query.condition().size());
    ConditionalOptions options;
    options.resolution = static_cast<size_t>(resolution);
    v1::PosteriorAnswer answer;
    for (size_t a = 0; a < subset.size(); ++a) {
      const auto i = static_cast<size_t>(subset[a]);
      for (size_t b = a + 1; b < subset.size(); ++b) {
        SOMAFIT_ASSIGN_OR_RETURN(
            const std::vector<double> values,
            ConditionalDensity(Density(), condition, limits, i,
                               static_cast<size_t>(subset[b]), options));
        Set(values, answer.mutable_pairs());
      }
      SOMAFIT_ASSIGN_OR_RETURN(
          const std::vector<double> values,
          ConditionalDensity(Density(), condition, limits, i, i, options));
      Set(values, answer.mutable_singles());
      const double off = options.margin * (limits[i].high - limits[i].low);
      answer.add_lower(limits[i].low + off);
      answer.add_upper(limits[i].high - off);
    }
    return answer;
  }

  absl::StatusOr<v1::PosteriorAnswer> Correlations(
      const v1::ConditionalQuery& query, const std::vector<int>& subset,
      int64_t resolution) const {
    run_.say("evaluating conditional correlations");
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Range> limits,
                             Limits(query.condition()));
    SOMAFIT_ASSIGN_OR_RETURN(
        const Eigen::MatrixXd matrix,
        ConditionalCorrelation(Density(),
                               {query.condition().data(),
                                static_cast<size_t>(query.condition_size())},
                               limits, subset,
                               static_cast<size_t>(resolution)));
    v1::PosteriorAnswer answer;
    for (Eigen::Index a = 0; a < matrix.rows(); ++a) {
      for (Eigen::Index b = 0; b < matrix.cols(); ++b) {
        answer.add_correlations(matrix(a, b));
      }
      answer.add_lower(limits[subset[a]].low);
      answer.add_upper(limits[subset[a]].high);
    }
    return answer;
  }

  const Problem& problem_;
  const std::shared_ptr<const Posterior> posterior_;
  const std::vector<double> x_;
  const TaskRun& run_;
};

// What a user is to simulate.
absl::StatusOr<std::vector<v1::PosteriorAnswer>> Propose(
    const Problem& problem, const v1::AskTask& task, Posteriors& posteriors,
    const TaskRun& run) {
  constexpr int64_t kMostBefore = int64_t{1} << 24;
  if (task.first() < 0 || task.first() > kMostBefore) {
    return absl::InvalidArgumentError(
        absl::StrCat("first is ", task.first(), ": give 0 to ", kMostBefore));
  }
  v1::DrawTask all = task.propose();
  all.set_n(all.n() + task.first());
  SOMAFIT_ASSIGN_OR_RETURN(const DrawOutcome drawn,
                           DoDraws(problem, all, posteriors, run));
  v1::PosteriorAnswer answer;
  const std::span<const double> theta(drawn.theta);
  Set(theta.subspan(static_cast<size_t>(task.first()) * problem.d()),
      answer.mutable_theta());
  answer.mutable_messages()->Add(drawn.messages.begin(), drawn.messages.end());
  return Split(std::move(answer));
}

// All x that are asked about, [n x E], checked before anything is fetched, and
// for npe_a before it is used.
absl::StatusOr<std::vector<double>> ObservationsOf(
    const Problem& problem, const v1::AskPosteriorRequest& ask) {
  std::vector<double> xs(ask.x().begin(), ask.x().end());
  if (xs.empty()) xs = problem.observation;
  if (xs.empty()) {
    return absl::FailedPreconditionError(
        "there is no observation yet: give x, or observe one first");
  }
  const size_t e = problem.e(), n = xs.size() / e;
  const bool several = ask.has_draw() || ask.has_density();
  if (xs.size() != n * e || n == 0 || (n > 1 && !several) ||
      n > static_cast<size_t>(kMostObservations)) {
    return absl::InvalidArgumentError(
        absl::StrCat("x has ", xs.size(), " numbers: give one for each of ", e,
                     " features, or none; for draws and densities up to ",
                     kMostObservations, " times as many"));
  }
  for (size_t i = 0; i < xs.size(); ++i) {
    if (std::isfinite(xs[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("x", n > 1 ? absl::StrCat(", observation ", i / e) : "",
                     ": ", Quoted(problem.columns.NameOf(i % e)), " is ",
                     ShortestText(xs[i]), ", but must be finite"));
  }
  return xs;
}

}  // namespace

std::vector<v1::PosteriorAnswer> Split(v1::PosteriorAnswer answer) {
  constexpr int kMost = kAnswerBytes / sizeof(double);
  std::vector<v1::PosteriorAnswer> parts(1);
  int room = kMost;
  const auto move = [&](Numbers* from, auto field_of) {
    for (int done = 0; done < from->size();) {
      if (room == 0) {
        parts.emplace_back();
        room = kMost;
      }
      const int n = std::min(room, from->size() - done);
      (parts.back().*field_of)()->Add(from->begin() + done,
                                      from->begin() + done + n);
      done += n;
      room -= n;
    }
    from->Clear();
  };
  using Field = Numbers* (v1::PosteriorAnswer::*)();
  constexpr Field kFields[] = {&v1::PosteriorAnswer::mutable_theta,
                               &v1::PosteriorAnswer::mutable_log_density,
                               &v1::PosteriorAnswer::mutable_pairs,
                               &v1::PosteriorAnswer::mutable_singles,
                               &v1::PosteriorAnswer::mutable_correlations,
                               &v1::PosteriorAnswer::mutable_lower,
                               &v1::PosteriorAnswer::mutable_upper};
  for (const Field field : kFields) move((answer.*field)(), field);
  parts.front().MergeFrom(answer);
  return parts;
}

absl::StatusOr<std::vector<v1::PosteriorAnswer>> DoQuestion(
    const Problem& problem, const v1::AskTask& task, Posteriors& posteriors,
    const TaskRun& run) {
  if (task.has_propose()) return Propose(problem, task, posteriors, run);
  SOMAFIT_RETURN_IF_ERROR(CheckRound(task.round()));
  const v1::AskPosteriorRequest& ask = task.ask();
  SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> xs,
                           ObservationsOf(problem, ask));
  absl::StatusOr<v1::PosteriorAnswer> answer =
      absl::InvalidArgumentError("the question asks for nothing");
  if (ask.has_draw() || ask.has_density()) {
    // Fetched and decoded once, however many x there are; only npe_a makes
    // another posterior of each.
    std::map<int64_t, std::string> fetched;
    TaskRun remembering = run;
    remembering.fetch_estimators =
        [&](int64_t r) -> absl::StatusOr<std::string> {
      if (const auto known = fetched.find(r); known != fetched.end()) {
        return known->second;
      }
      SOMAFIT_ASSIGN_OR_RETURN(std::string bytes, run.fetch_estimators(r));
      return fetched[r] = std::move(bytes);
    };
    std::shared_ptr<const Posterior> same;
    const PosteriorFor posterior_for = [&](std::span<const double> x)
        -> absl::StatusOr<std::shared_ptr<const Posterior>> {
      if (same != nullptr) return same;
      SOMAFIT_ASSIGN_OR_RETURN(
          auto posterior,
          posteriors.PosteriorAt(problem, task.round(), x, remembering));
      if (problem.algorithm != Algorithm::kNpeA) same = posterior;
      return posterior;
    };
    answer =
        ask.has_draw()
            ? AnswerDraws(problem, posterior_for, xs, ask.draw(), run)
            : AnswerDensities(problem, posterior_for, xs, ask.density(), run);
  } else if (ask.has_map() || ask.has_conditional()) {
    SOMAFIT_ASSIGN_OR_RETURN(
        auto posterior, posteriors.PosteriorAt(problem, task.round(), xs, run));
    const Question question(problem, std::move(posterior), xs, run);
    answer = ask.has_map() ? question.Answer(ask.map())
                           : question.Answer(ask.conditional());
  }
  SOMAFIT_RETURN_IF_ERROR(answer.status());
  if (run.cancelled()) {
    return absl::CancelledError("the answer is no longer wanted");
  }
  return Split(*std::move(answer));
}

}  // namespace somafit
