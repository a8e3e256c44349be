#include "server/study/open_round.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "worker/core/base/check.h"

namespace somafit {

OpenRound::OpenRound(RoundRecord round, int64_t n_drawn)
    : round_(std::move(round)),
      outcomes_(round_.points.size()),
      n_drawn_(std::min(n_drawn, size())),
      n_open_(size()) {
  GiveBack({.first = first(), .count = n_drawn_});
}

OpenRound::OpenRound(StoredRound stored, int64_t n_to_come)
    : round_(std::move(stored.round)),
      outcomes_(round_.points.size()),
      n_drawn_(size() - n_to_come) {
  for (size_t i = 0; i < stored.evaluations.size() && i < outcomes_.size();
       ++i) {
    outcomes_[i] = {stored.evaluations[i].status,
                    stored.evaluations[i].total_error};
  }
  n_open_ = std::count_if(outcomes_.begin(), outcomes_.end(), [](auto& o) {
    return o.status == SampleStatus::kDrawn;
  });
  n_not_ok_ = std::count_if(outcomes_.begin(), outcomes_.end(), [](auto& o) {
    return o.status != SampleStatus::kDrawn && o.status != SampleStatus::kOk;
  });
  GiveBack({.first = first(), .count = n_drawn_});
}

DrawnSamples OpenRound::Draw(int64_t n) {
  n = std::min(n, n_to_come());
  DrawnSamples drawn;
  drawn.fit = round_.fit;
  drawn.stage = round_.stage;
  drawn.round = round_.round;
  drawn.first_sample = first() + n_drawn_;
  const auto slice = [&](const std::vector<std::vector<double>>& points) {
    if (points.empty()) return points;  // unit points of inferences
    SOMAFIT_CHECK(points.size() == round_.points.size());
    return std::vector<std::vector<double>>(points.begin() + n_drawn_,
                                            points.begin() + n_drawn_ + n);
  };
  drawn.points = slice(round_.points);
  drawn.unit_points = slice(round_.unit_points);
  n_drawn_ += n;
  pending_.AddNew(drawn.first_sample, n);
  return drawn;
}

DrawnSamples OpenRound::Append(std::vector<std::vector<double>> points) {
  SOMAFIT_CHECK(n_to_come() == 0);
  const auto n = static_cast<int64_t>(points.size());
  n_open_ += n;
  outcomes_.resize(outcomes_.size() + points.size());
  round_.points.insert(round_.points.end(),
                       std::make_move_iterator(points.begin()),
                       std::make_move_iterator(points.end()));
  return Draw(n);
}

void OpenRound::Record(int64_t sample, SampleStatus status,
                       double total_error) {
  SOMAFIT_CHECK(IsOpen(sample) && status != SampleStatus::kDrawn);
  outcomes_[Index(sample)] = {status, total_error};
  --n_open_;
  n_not_ok_ += status != SampleStatus::kOk ? 1 : 0;
  pending_.Remove(sample);
}

void OpenRound::GiveBack(const SampleRange& range) {
  SampleRange run = range;
  run.count = 0;
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    if (IsOpen(s)) {
      if (run.count == 0) run.first = s;
      ++run.count;
    } else if (run.count > 0) {
      pending_.Add(run);
      run.count = 0;
    }
  }
  pending_.Add(run);
}

std::vector<int64_t> OpenRound::OpenSamples(const SampleRange& range) const {
  std::vector<int64_t> open;
  for (int64_t s = range.first; s < range.first + range.count; ++s) {
    if (IsOpen(s)) open.push_back(s);
  }
  return open;
}

}  // namespace somafit
