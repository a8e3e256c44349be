// How a fit draws its rounds and learns from them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "server/study/fit_run.h"
#include "worker/core/base/check.h"

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Samples that are written before a round's first lease, and those written at
// once from then on: workers begin while the rest of the round is written.
constexpr int64_t kFirstSlice = 1024;
constexpr int64_t kSlice = 4096;

}  // namespace

void FitRun::LimitRound() {
  if (!record_.spec.execution.abandon || !search_round_ || !optimizer_) return;
  search_round_->SetLimits(
      optimizer_->Limits(search_round_->size(),
                         record_.best_sample ? record_.best_error : kInfinity));
}

void FitRun::TakeUp(StoredRound stored) {
  const int64_t n_to_come = std::exchange(stored.round.n_to_come, 0);
  if (n_to_come == 0) {
    search_round_.emplace(std::move(stored), 0);
    return;
  }
  // Ask is const and its randomness keyed, so it gives the same round again.
  const std::vector<std::vector<double>> drawn = std::move(stored.round.points);
  if (optimizer_ && restored_.ok()) {
    AskFor(static_cast<int64_t>(drawn.size()) + n_to_come, stored.round);
    if (std::equal(drawn.begin(), drawn.end(), stored.round.points.begin())) {
      search_round_.emplace(std::move(stored), n_to_come);
      return;
    }
    restored_ = absl::DataLossError(absl::StrCat(
        "round ", stored.round.round, " of stage ", stored.round.stage,
        " was being drawn when the coordinator ended, and this server draws "
        "other samples; submit the fit again"));
  }
  // The fit cannot go on: the samples to come never will.
  record_.next_sample -= n_to_come;
}

void FitRun::AskFor(int64_t count, RoundRecord& round) const {
  RandomStream random(record_.spec.seed, StreamPurpose::kOptimizer,
                      static_cast<uint32_t>(round.stage),
                      static_cast<uint32_t>(round.round));
  round.unit_points = optimizer_->Ask(count, random);
  SOMAFIT_CHECK(static_cast<int64_t>(round.unit_points.size()) == count);
  round.points.clear();
  round.points.reserve(round.unit_points.size());
  if (round.round == 0) {
    for (const StartValue& start : plan_->starts) {
      if (start.sample >= count) continue;
      const size_t parameter = plan_->space.free()[start.coordinate];
      round.unit_points[start.sample][start.coordinate] =
          plan_->space.ToUnit(parameter, start.si);
    }
  }
  for (const std::vector<double>& unit : round.unit_points) {
    round.points.push_back(plan_->space.ToSi(unit));
    // SQLite stores -0.0 as 0.0: no number may depend on the sign of zero.
    for (double& value : round.points.back()) value += 0.0;
  }
  if (round.round == 0) {
    // As they were given, to the bit.
    for (const StartValue& start : plan_->starts) {
      if (start.sample >= count) continue;
      round.points[start.sample][plan_->space.free()[start.coordinate]] =
          start.si + 0.0;
    }
  }
}

void FitRun::DrawRound(Effects& effects) {
  const FitSpec& spec = record_.spec;
  int64_t count = spec.n_samples;
  if (plan_->stop.evaluations) {
    count = std::min(
        count, *plan_->stop.evaluations - record_.rounds * spec.n_samples);
  }
  RoundRecord round;
  round.fit = record_.id;
  round.stage = record_.stage;
  round.round = record_.rounds;
  round.first_sample = record_.next_sample;
  AskFor(count, round);
  record_.next_sample += count;
  search_round_.emplace(std::move(round), 0);
  LimitRound();
  DrawnSamples first = search_round_->Draw(kFirstSlice);
  effects.writes.push_back(
      RoundRecord{.fit = first.fit,
                  .stage = first.stage,
                  .round = first.round,
                  .first_sample = first.first_sample,
                  .points = std::move(first.points),
                  .unit_points = std::move(first.unit_points),
                  .n_to_come = search_round_->n_to_come()});
  effects.work_available = true;
  if (DrawsOn()) effects.advance.push_back(record_.id);
}

bool FitRun::DrawsOn() const {
  return search_round_ && search_round_->n_to_come() > 0;
}

void FitRun::DrawMore(Effects& effects) {
  effects.writes.push_back(search_round_->Draw(kSlice));
  effects.work_available = true;
}

void FitRun::DrawRest(Effects& effects) {
  while (DrawsOn()) DrawMore(effects);
}

void FitRun::Learn() {
  OpenRound& round = *search_round_;
  std::vector<Told> told;
  told.reserve(static_cast<size_t>(round.size()));
  for (int64_t s = round.first(); s < round.first() + round.size(); ++s) {
    const OpenRound::Outcome& outcome = round.outcome(s);
    const bool has_number = outcome.status == SampleStatus::kOk &&
                            std::isfinite(outcome.total_error);
    told.push_back(
        {round.TakeUnitPoint(s), has_number ? outcome.total_error : kInfinity});
  }
  optimizer_->Tell(told);
}

}  // namespace somafit
