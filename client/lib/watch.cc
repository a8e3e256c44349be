#include "client/lib/watch.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A server that goes down in the middle of a message shows as INTERNAL or
// UNKNOWN with the transport's words.
bool IsLostConnection(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         status.error_code() == grpc::StatusCode::ABORTED ||
         absl::StrContains(status.error_message(), "RST_STREAM") ||
         absl::StrContains(status.error_message(), "Stream removed");
}

}  // namespace

bool Watch::Sleep(int milliseconds) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::milliseconds(milliseconds),
                         [&] { return cancelled_; });
}

void Watch::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
  wake_.notify_all();
}

absl::StatusOr<Watch::Outcome> Watch::ReadStream(const Take& take,
                                                 const Lost& lost) {
  v1::WatchFitRequest request;
  request.set_name(fit_);
  request.set_after_seq(seq_);
  grpc::ClientContext context;
  client_->connection().Authorize(&context);
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return absl::CancelledError("stopped");
    context_ = &context;
  }
  const auto stream = client_->connection().stub().WatchFit(&context, request);
  v1::FitEvent event;
  bool taken = false;
  absl::Status broken;
  while (!taken && broken.ok() && stream->Read(&event)) {
    if (away_) {
      away_ = false;
      lost(absl::OkStatus());
    }
    if (event.seq() <= seq_) continue;
    if (event.seq() != seq_ + 1) {
      broken = absl::DataLossError(
          absl::StrCat("events ", seq_ + 1, " to ", event.seq() - 1, " of ",
                       fit_, " are missing; watch it again with --after 0"));
      break;
    }
    seq_ = event.seq();
    taken = !take(event);
  }
  if (taken || !broken.ok()) context.TryCancel();
  const grpc::Status status = stream->Finish();
  {
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    if (cancelled_) return absl::CancelledError("stopped");
  }
  if (!broken.ok()) return broken;
  if (taken) return Outcome::kTaken;
  if (status.ok()) return Outcome::kStreamEnded;
  const absl::Status explained = client_->connection().Explain(status);
  if (IsLostConnection(status)) {
    return absl::UnavailableError(explained.message());
  }
  return explained;
}

absl::Status Watch::Run(Until until, const Take& take, const Lost& lost) {
  int pause = 100;
  while (true) {
    const int64_t before = seq_;
    const absl::StatusOr<Outcome> outcome = ReadStream(take, lost);
    absl::Status status = outcome.status();
    if (status.ok() && *outcome == Outcome::kTaken) return status;
    if (status.ok() && until == Until::kEnded) {
      const absl::StatusOr<v1::Fit> fit = client_->GetFit(fit_);
      status = fit.status();
      if (fit.ok() && HasEnded(fit->state()) && seq_ >= fit->last_seq()) {
        return absl::OkStatus();
      }
    }
    const bool away =
        absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
    const bool moved = !status.ok() && client_->connection().Refresh();
    if (away || (moved && absl::IsUnauthenticated(status))) {
      if (!away_) lost(status);
      away_ = true;
    } else if (!status.ok()) {
      return status;
    }
    if (seq_ != before) pause = 100;
    if (!Sleep(pause)) return absl::CancelledError("stopped");
    pause = std::min(2 * pause, 2000);
  }
}

}  // namespace somafit
