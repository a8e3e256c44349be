#include "server/rpc/training_stream.h"

#include <utility>

#include "proto/convert/status.h"
#include "server/rpc/arguments.h"
#include "server/rpc/parts.h"
#include "worker/core/base/status.h"

namespace somafit {

absl::Status TrainingStream::Draining() {
  return WithReason(absl::UnavailableError(
                        "the server is stopping; watch again when it is back"),
                    "DRAINING");
}

TrainingStream* TrainingStream::Start(ServerParts& parts,
                                      const v1::WatchTrainingRequest* request) {
  std::shared_ptr<TrainingStream> stream(new TrainingStream(parts, request));
  stream->KeepAlive();
  stream->PostPump();
  return stream.get();
}

TrainingStream::TrainingStream(ServerParts& parts,
                               const v1::WatchTrainingRequest* request)
    : PumpedStream("WatchTraining", parts.slow),
      parts_(parts),
      request_(request) {}

absl::Status TrainingStream::Begin() {
  SOMAFIT_ASSIGN_OR_RETURN(name_, FitNameOf(request_->name()));
  absl::StatusOr<FitRecord> fit = absl::NotFoundError("");
  parts_.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
    fit = coordinator.GetFit(name_, ReadClock());
  });
  SOMAFIT_RETURN_IF_ERROR(fit.status());
  parts_.trainings.Add(
      fit->id, std::static_pointer_cast<TrainingStream>(shared_from_this()));
  return parts_.trainings.draining() ? Draining() : absl::OkStatus();
}

void TrainingStream::Step() {
  if (name_.empty()) {
    if (const absl::Status status = Begin(); !status.ok()) {
      return FinishOnce(status);
    }
  }
  absl::StatusOr<Coordinator::TrainingNews> news = absl::InternalError("");
  parts_.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
    news = coordinator.TrainingSince(name_, sent_);
  });
  if (!news.ok()) return FinishOnce(news.status());
  if (news->epochs.empty()) {
    return news->ended ? FinishOnce(absl::OkStatus()) : Rest();
  }
  message_.Clear();
  message_.set_round(news->round);
  for (const std::string& epoch : news->epochs) {
    message_.add_epochs()->ParseFromString(epoch);
  }
  news->epochs.clear();
  sent_ = *std::move(news);
  StartWrite(&message_);
}

void TrainingStream::Closed() { parts_.trainings.Remove(this); }

}  // namespace somafit
