#include "server/rpc/watch_stream.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "server/rpc/call.h"
#include "server/rpc/view.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int kPage = 16;

absl::Status Draining() {
  return WithReason(
      absl::UnavailableError(
          "the server is stopping; watch again later, after the last event"),
      "DRAINING");
}

absl::Status Gone(const std::string& name) {
  return WithReason(
      absl::NotFoundError(absl::StrCat("fits/", name, " does not exist")),
      "FIT_UNKNOWN");
}

}  // namespace

void WatchHub::Add(int64_t fit, const std::shared_ptr<WatchStream>& watch) {
  std::lock_guard lock(mutex_);
  watches_[fit].push_back(watch);
}

void WatchHub::Remove(const WatchStream* watch) {
  std::lock_guard lock(mutex_);
  for (auto it = watches_.begin(); it != watches_.end();) {
    std::erase_if(it->second, [watch](const std::weak_ptr<WatchStream>& entry) {
      const auto live = entry.lock();
      return live == nullptr || live.get() == watch;
    });
    it = it->second.empty() ? watches_.erase(it) : std::next(it);
  }
}

void WatchHub::Wake(const std::set<int64_t>& fits) {
  std::vector<std::shared_ptr<WatchStream>> woken;
  {
    std::lock_guard lock(mutex_);
    for (const int64_t fit : fits) {
      const auto found = watches_.find(fit);
      if (found == watches_.end()) continue;
      for (const auto& entry : found->second) {
        if (auto watch = entry.lock()) woken.push_back(std::move(watch));
      }
    }
  }
  for (const auto& watch : woken) watch->Wake();
}

void WatchHub::Drain() {
  std::vector<std::shared_ptr<WatchStream>> all;
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
    for (const auto& [fit, watches] : watches_) {
      for (const auto& entry : watches) {
        if (auto watch = entry.lock()) all.push_back(std::move(watch));
      }
    }
  }
  for (const auto& watch : all) watch->End(Draining());
}

bool WatchHub::draining() const {
  std::lock_guard lock(mutex_);
  return draining_;
}

WatchStream* WatchStream::Start(Strand& strand, Store& store, WatchHub& hub,
                                Executor& reads, std::string name,
                                int64_t after_seq) {
  std::shared_ptr<WatchStream> watch(
      new WatchStream(strand, store, hub, reads, std::move(name), after_seq));
  watch->self_ = watch;
  watch->Open();
  return watch.get();
}

WatchStream::WatchStream(Strand& strand, Store& store, WatchHub& hub,
                         Executor& reads, std::string name, int64_t after_seq)
    : strand_(strand),
      store_(store),
      hub_(hub),
      reads_(reads),
      name_(std::move(name)),
      begin_(std::chrono::steady_clock::now()),
      sent_seq_(after_seq) {}

void WatchStream::Open() {
  auto self = shared_from_this();
  auto found = std::make_shared<absl::StatusOr<FitRecord>>(Gone(name_));
  strand_.Decide(
      [self, found](Coordinator& coordinator, Now now, Effects&) {
        *found = coordinator.GetFit(self->name_, now);
        if (found->ok()) self->hub_.Add((*found)->id, self);
      },
      [self, found] {
        if (!found->ok()) return self->FinishOnce(found->status());
        self->fit_ = **std::move(found);
        if (self->sent_seq_ > self->fit_.last_seq) {
          return self->FinishOnce(WithReason(
              absl::OutOfRangeError(absl::StrCat(
                  "after_seq is ", self->sent_seq_, " but the newest event of ",
                  "fits/", self->name_, " is ", self->fit_.last_seq,
                  "; watch from the last event that you got of this fit")),
              "SEQ_OUT_OF_RANGE"));
        }
        if (self->hub_.draining()) return self->FinishOnce(Draining());
        self->PostPump();
      });
}

void WatchStream::Wake() {
  {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    awake_ = true;
    if (busy_) return;
    busy_ = true;
  }
  PostPump();
}

void WatchStream::End(absl::Status status) {
  {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    if (ending_.ok()) ending_ = std::move(status);
    if (busy_) return;
    busy_ = true;
  }
  PostPump();
}

void WatchStream::PostPump() {
  reads_.Post([self = shared_from_this()] { self->Pump(); });
}

void WatchStream::Pump() {
  {
    std::unique_lock lock(mutex_);
    if (!ending_.ok()) {
      const absl::Status status = ending_;
      lock.unlock();
      return FinishOnce(status);
    }
    awake_ = false;
  }
  if (next_in_page_ == page_.size()) {
    const absl::StatusOr<bool> more = ReadPage();
    if (!more.ok()) return FinishOnce(more.status());
    if (!*more) return CheckEnd();
  }
  const absl::Status sent = Send(page_[next_in_page_]);
  if (!sent.ok()) return FinishOnce(sent);
}

absl::StatusOr<bool> WatchStream::ReadPage() {
  page_.clear();
  next_in_page_ = 0;
  SOMAFIT_ASSIGN_OR_RETURN(page_, store_.ReadEvents(fit_.id, sent_seq_, kPage));
  return !page_.empty();
}

absl::Status WatchStream::Send(const EventRecord& event) {
  if (event.seq != sent_seq_ + 1) {
    return absl::DataLossError(absl::StrCat("event ", sent_seq_ + 1,
                                            " of fits/", name_,
                                            " is missing in the database"));
  }
  std::vector<SampleRow> samples;
  if (event.kind == EventRecord::Kind::kRound) {
    auto rows = store_.ReadSamples(fit_, event.stage, event.first_sample - 1,
                                   event.n_samples);
    if (absl::IsNotFound(rows.status())) return Gone(name_);
    SOMAFIT_RETURN_IF_ERROR(rows.status());
    samples = *std::move(rows);
  }
  message_ = ToProto(event, samples);
  sent_seq_ = event.seq;
  ++next_in_page_;
  StartWrite(&message_);
  return absl::OkStatus();
}

// Everything on disk has been sent: is that all there will be?
void WatchStream::CheckEnd() {
  auto self = shared_from_this();
  auto found = std::make_shared<absl::StatusOr<FitRecord>>(Gone(name_));
  strand_.Decide(
      [self, found](Coordinator& coordinator, Now now, Effects&) {
        *found = coordinator.GetFit(self->name_, now);
      },
      [self, found] {
        if (absl::IsNotFound(found->status()) ||
            (found->ok() && (*found)->id != self->fit_.id)) {
          return self->FinishOnce(Gone(self->name_));
        }
        if (!found->ok()) return self->FinishOnce(found->status());
        if ((*found)->last_seq > self->sent_seq_) return self->PostPump();
        if (HasEnded((*found)->state)) {
          return self->FinishOnce(absl::OkStatus());
        }
        self->Rest();
      });
}

void WatchStream::Rest() {
  {
    std::lock_guard lock(mutex_);
    if (!awake_ && ending_.ok()) {
      busy_ = false;
      return;
    }
  }
  PostPump();
}

void WatchStream::OnWriteDone(bool ok) {
  if (!ok) return FinishOnce(absl::CancelledError("the client is gone"));
  PostPump();
}

void WatchStream::OnCancel() {
  End(absl::CancelledError("the call was cancelled"));
}

void WatchStream::FinishOnce(const absl::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
  }
  LogCall("WatchFit", "", status, begin_);
  Finish(Sendable(status));
}

void WatchStream::OnDone() {
  hub_.Remove(this);
  // Tasks that still hold a reference do nothing more than to drop it.
  auto last = std::move(self_);
}

}  // namespace somafit
