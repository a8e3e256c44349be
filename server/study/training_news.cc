// Epochs of trainings under way, for whoever watches.
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "server/study/coordinator.h"
#include "server/study/trainer_task.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostEpochs = 4000;  // of one training

}  // namespace

void Coordinator::NoteEpochs(const TrainerTask& task,
                             std::vector<std::string> epochs,
                             Effects& effects) {
  if (epochs.empty()) return;
  TrainingCurve& curve = curves_[task.fit];
  if (curve.stage != task.stage || curve.round != task.job.round) {
    curve = {
        .stage = task.stage, .round = task.job.round, .first = 0, .epochs = {}};
  }
  curve.epochs.insert(curve.epochs.end(),
                      std::make_move_iterator(epochs.begin()),
                      std::make_move_iterator(epochs.end()));
  while (curve.epochs.size() > kMostEpochs) {
    curve.epochs.pop_front();
    ++curve.first;
  }
  effects.trainings.push_back(task.fit);
}

absl::StatusOr<Coordinator::TrainingNews> Coordinator::TrainingSince(
    const std::string& name, const std::optional<TrainingNews>& of) const {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRun* const fit, FindFit(name));
  const FitRecord& record = fit->record();
  if (!fit->learns()) {
    return absl::FailedPreconditionError(
        absl::StrCat(fit->title(), " is a fit, which trains nothing"));
  }
  TrainingNews news;
  news.stage = of ? of->stage : record.stage;
  news.round = of ? of->round : record.rounds;
  news.next = of ? of->next : 0;
  // A training that failed waits for somebody to do otherwise.
  const bool failed = record.state == FitState::kPaused &&
                      absl::StartsWith(record.reason, kTrainerReason);
  news.ended = HasEnded(record.state) || failed || record.stage != news.stage ||
               record.rounds > news.round;
  const auto found = curves_.find(record.id);
  if (found == curves_.end() || found->second.stage != news.stage ||
      found->second.round != news.round) {
    return news;
  }
  const TrainingCurve& curve = found->second;
  const int64_t skipped = std::max<int64_t>(0, news.next - curve.first);
  for (auto i = static_cast<size_t>(skipped); i < curve.epochs.size(); ++i) {
    news.epochs.push_back(curve.epochs[i]);
  }
  news.next = curve.first + std::ssize(curve.epochs);
  return news;
}

}  // namespace somafit
