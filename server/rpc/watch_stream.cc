#include "server/rpc/watch_stream.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "server/rpc/view.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int kPage = 16;

absl::Status Gone(const std::string& name) {
  return WithReason(
      absl::NotFoundError(absl::StrCat("fits/", name, " does not exist")),
      "FIT_UNKNOWN");
}

}  // namespace

absl::Status WatchStream::Draining() {
  return WithReason(
      absl::UnavailableError(
          "the server is stopping; watch again later, after the last event"),
      "DRAINING");
}

WatchStream* WatchStream::Start(Strand& strand, Store& store, WatchHub& hub,
                                Executor& reads, std::string name,
                                int64_t after_seq) {
  std::shared_ptr<WatchStream> watch(
      new WatchStream(strand, store, hub, reads, std::move(name), after_seq));
  watch->KeepAlive();
  watch->Open();
  return watch.get();
}

WatchStream::WatchStream(Strand& strand, Store& store, WatchHub& hub,
                         Executor& reads, std::string name, int64_t after_seq)
    : PumpedStream("WatchFit", reads),
      strand_(strand),
      store_(store),
      hub_(hub),
      name_(std::move(name)),
      sent_seq_(after_seq) {}

std::shared_ptr<WatchStream> WatchStream::Self() {
  return std::static_pointer_cast<WatchStream>(shared_from_this());
}

void WatchStream::Open() {
  auto self = Self();
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

void WatchStream::Step() {
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
  message_ = ToProto(event, samples, !fit_.spec.penalty.empty());
  sent_seq_ = event.seq;
  ++next_in_page_;
  StartWrite(&message_);
  return absl::OkStatus();
}

// Everything on disk has been sent: is that all there will be?
void WatchStream::CheckEnd() {
  auto self = Self();
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

void WatchStream::Closed() { hub_.Remove(this); }

}  // namespace somafit
