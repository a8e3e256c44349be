#include "server/rpc/trace_report.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "server/rpc/arguments.h"
#include "server/rpc/parts.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxHeld = 2 * kMaxTraceBytes;
constexpr size_t kMaxText = 255;  // of a session or a lease

}  // namespace

TraceReport::TraceReport(ServerParts& parts, std::atomic<size_t>& held,
                         grpc::CallbackServerContext* context)
    : parts_(parts),
      held_(held),
      context_(context),
      begin_(std::chrono::steady_clock::now()) {
  StartRead(&message_);
}

absl::Status TraceReport::Begin() {
  session_ = message_.session();
  lease_ = message_.lease();
  if (session_.empty() || session_.size() > kMaxText) {
    return BadField("session", "is missing; give what Register returned");
  }
  if (lease_.empty() || lease_.size() > kMaxText) {
    return BadField("lease", "is missing; give the task's");
  }
  absl::StatusOr<Coordinator::WantedTraces> wanted = absl::NotFoundError("");
  parts_.strand.Decide(
      [&](Coordinator& coordinator, Now now, Effects&) {
        wanted = coordinator.TracesWanted(session_, lease_, now);
      },
      nullptr);
  SOMAFIT_RETURN_IF_ERROR(wanted.status());
  const size_t bytes = static_cast<size_t>(wanted->count) *
                       wanted->shape.size() * sizeof(double);
  if (held_.fetch_add(bytes) + bytes > kMaxHeld) {
    held_.fetch_sub(bytes);
    return WithReason(
        absl::ResourceExhaustedError(
            "too many traces arrive at once for the server's memory; report "
            "them again"),
        "REPORTS_FULL");
  }
  counted_ = bytes;
  assembler_.emplace(std::move(wanted->shape), wanted->first, wanted->count);
  return absl::OkStatus();
}

absl::Status TraceReport::Take() {
  if (!assembler_) SOMAFIT_RETURN_IF_ERROR(Begin());
  const absl::Status added =
      assembler_->Add(message_.pieces(), [this](int64_t, Recording recording) {
        recordings_.push_back(std::move(recording));
        return absl::OkStatus();
      });
  if (added.ok()) return added;
  return BadField("pieces", std::string(added.message()), "SHAPE_MISMATCH");
}

void TraceReport::OnReadDone(bool ok) {
  if (ok) {
    if (const absl::Status status = Take(); !status.ok()) {
      return FinishWith(status);
    }
    return StartRead(&message_);
  }
  if (context_->IsCancelled()) {
    return FinishWith(absl::CancelledError("the report was cancelled"));
  }
  if (!assembler_ || !assembler_->complete()) {
    return FinishWith(BadField(
        "pieces",
        assembler_ ? absl::StrCat("end at point ", assembler_->next_point(),
                                  "; report all points of the task")
                   : "are missing; report all points of the task",
        "SHAPE_MISMATCH"));
  }
  Submit();
}

void TraceReport::Submit() {
  auto status = std::make_shared<absl::Status>();
  parts_.strand.Decide(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        *status = coordinator.ReportTraces(
            session_, lease_, std::move(recordings_), now, effects);
      },
      [this, status] { FinishWith(*status); });
}

void TraceReport::FinishWith(const absl::Status& status) {
  LogCall("ReportTraces", "", status, begin_);
  Finish(Sendable(status));
}

void TraceReport::OnDone() {
  held_.fetch_sub(counted_);
  delete this;
}

}  // namespace somafit
