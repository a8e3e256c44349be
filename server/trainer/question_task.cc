#include "server/trainer/question_task.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/conditional.h"
#include "server/posterior/map_estimate.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

using Clock = std::chrono::steady_clock;
using Numbers = google::protobuf::RepeatedField<double>;

constexpr int64_t kMostRows = 1'000'000;
constexpr int64_t kMostNumbers = int64_t{1} << 25;  // of an answer: 256 MiB
constexpr int kMostResolution = 1000;
// Where a prior has no bound, grids reach so many standard deviations.
// What questions draw, whatever rounds drew with the same seed.
constexpr uint32_t kAskPurpose = 0xfffffff0;
constexpr uint32_t kGridPurpose = 0xfffffff1;
constexpr double kFewAccepted = 0.01;

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

// A question about one posterior at one x.
class Question {
 public:
  Question(const Problem& problem, std::shared_ptr<const Posterior> posterior,
           std::vector<double> x, const TaskRun& run)
      : problem_(problem),
        posterior_(std::move(posterior)),
        x_(std::move(x)),
        run_(run) {}

  absl::StatusOr<v1::PosteriorAnswer> Answer(const v1::DrawQuery& query) const {
    const auto d = static_cast<int64_t>(problem_.d());
    const int64_t most = std::min(kMostRows, kMostNumbers / d);
    if (query.n() < 1 || query.n() > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("n is ", query.n(), ": ask for 1 to ", most, " draws"));
    }
    if (!(query.max_seconds() >= 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("max_seconds is ", ShortestText(query.max_seconds()),
                       ": give seconds, or 0 for no limit"));
    }
    run_.say(absl::StrCat("drawing ", query.n(), " times"));
    const auto begin = Clock::now();
    DrawLimits limits;
    limits.max_candidates = std::max(limits.max_candidates, 1000 * query.n());
    limits.stop = [&] {
      return run_.cancelled() ||
             (query.max_seconds() > 0 &&
              std::chrono::duration<double>(Clock::now() - begin).count() >
                  query.max_seconds());
    };
    SOMAFIT_ASSIGN_OR_RETURN(
        const Draws draws, Sample(query, {query.seed(), kAskPurpose}, limits));
    v1::PosteriorAnswer answer;
    Set(draws.theta, answer.mutable_theta());
    Set(draws.log_density, answer.mutable_log_density());
    const auto found = static_cast<int64_t>(draws.log_density.size());
    answer.set_candidates(draws.acceptance.tries);
    answer.set_accepted(query.keep_outside_prior() ? CountInside(draws.theta)
                                                   : draws.acceptance.hits);
    if (found < query.n()) {
      answer.set_incomplete(absl::StrCat(
          found, " of ", query.n(), " draws after ", draws.acceptance.tries,
          " candidates: ",
          draws.end == DrawEnd::kStopped
              ? absl::StrCat("max_seconds = ",
                             ShortestText(query.max_seconds()), " have passed")
              : "too few of them lie within the prior"));
    }
    for (const std::string& message : draws.messages) {
      answer.add_messages(message);
    }
    return answer;
  }

  absl::StatusOr<v1::PosteriorAnswer> Answer(
      const v1::DensityQuery& query) const {
    SOMAFIT_RETURN_IF_ERROR(
        CheckRows(problem_, "theta", query.theta(), kMostRows));
    const std::span<const double> theta(query.theta().data(),
                                        query.theta().size());
    run_.say("evaluating densities");
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> log_density,
                             query.unnormalized()
                                 ? posterior_->Potential(theta, x_)
                                 : posterior_->LogDensity(theta, x_));
    v1::PosteriorAnswer answer;
    Set(log_density, answer.mutable_log_density());
    return answer;
  }

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
    SOMAFIT_ASSIGN_OR_RETURN(const double inside, Inside());
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
  // What part of the estimators' mass the prior allows.
  absl::StatusOr<double> Inside() const {
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<Leakage> leakage,
                             posterior_->LeakageAt(x_));
    double inside = 0;
    for (size_t m = 0; m < leakage.size(); ++m) {
      inside += posterior_->members()[m].weight * leakage[m].inside.value;
    }
    return inside;
  }

  absl::StatusOr<Draws> Sample(const v1::DrawQuery& query, DrawKey key,
                               const DrawLimits& limits) const {
    if (!query.keep_outside_prior()) {
      SOMAFIT_ASSIGN_OR_RETURN(const double inside, Inside());
      if (inside < kFewAccepted) {
        SOMAFIT_ASSIGN_OR_RETURN(const auto proposal,
                                 MakePosteriorProposal(posterior_, x_));
        return proposal->Sample(query.n(), key, limits);
      }
    }
    return posterior_->Sample(
        x_, {.n = query.n(),
             .key = key,
             .limits = limits,
             .reject_outside_prior = !query.keep_outside_prior()});
  }

  int64_t CountInside(std::span<const double> theta) const {
    const size_t d = problem_.d();
    int64_t inside = 0;
    for (size_t i = 0; i < theta.size(); i += d) {
      inside += problem_.prior->Contains(theta.subspan(i, d));
    }
    return inside;
  }

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
    v1::DrawQuery query;
    query.set_n(kDraws);
    DrawLimits draw_limits;
    draw_limits.stop = run_.cancelled;
    SOMAFIT_ASSIGN_OR_RETURN(const Draws draws,
                             Sample(query, {0, kGridPurpose}, draw_limits));
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
  SOMAFIT_RETURN_IF_ERROR(CheckRound(task.round()));
  const v1::AskPosteriorRequest& ask = task.ask();
  std::vector<double> x(ask.x().begin(), ask.x().end());
  if (x.empty()) x = problem.observation;
  // Before anything is fetched, and for npe_a before it is used.
  if (x.size() != problem.e()) {
    return absl::InvalidArgumentError(
        absl::StrCat("x has ", x.size(), " numbers: give one for each of ",
                     problem.e(), " features, or none"));
  }
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isfinite(x[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("x: ", Quoted(problem.columns.NameOf(i)), " is ",
                     ShortestText(x[i]), ", but must be finite"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      auto posterior, posteriors.PosteriorAt(problem, task.round(), x, run));
  const Question question(problem, std::move(posterior), std::move(x), run);
  absl::StatusOr<v1::PosteriorAnswer> answer =
      absl::InvalidArgumentError("the question asks for nothing");
  switch (ask.query_case()) {
    case v1::AskPosteriorRequest::kDraw:
      answer = question.Answer(ask.draw());
      break;
    case v1::AskPosteriorRequest::kDensity:
      answer = question.Answer(ask.density());
      break;
    case v1::AskPosteriorRequest::kMap:
      answer = question.Answer(ask.map());
      break;
    case v1::AskPosteriorRequest::kConditional:
      answer = question.Answer(ask.conditional());
      break;
    case v1::AskPosteriorRequest::QUERY_NOT_SET:
      break;
  }
  SOMAFIT_RETURN_IF_ERROR(answer.status());
  if (run.cancelled()) {
    return absl::CancelledError("the answer is no longer wanted");
  }
  return Split(*std::move(answer));
}

}  // namespace somafit
