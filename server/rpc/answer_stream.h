#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/rpc/parts.h"
#include "server/rpc/pumped_stream.h"
#include "server/rpc/question_hub.h"

namespace somafit {

// A stream that puts a question to a trainer, and sends its answer on. The
// question ends with the stream.
template <typename Message>
class AnswerStream : public PumpedStream<Message>, public QuestionWaiter {
 public:
  void Wake() final { PumpedStream<Message>::Wake(); }
  void End(absl::Status status) final {
    PumpedStream<Message>::End(std::move(status));
  }

 protected:
  AnswerStream(std::string_view method, ServerParts& parts)
      : PumpedStream<Message>(method, parts.slow), parts_(parts) {}

  // Asks, or answers by itself; blocks.
  virtual absl::Status Ask() = 0;
  // What the bytes of a v1.PosteriorAnswer are to whoever asked.
  virtual absl::Status Read(const std::string& answer, bool first,
                            Message& message) = 0;

  // Puts `task` to the coordinator.
  absl::Status Put(const std::string& name, TrainerTask task) {
    absl::Status status;
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          const auto id =
              coordinator.AskPosterior(name, std::move(task), now, effects);
          status = id.status();
          if (!id.ok()) return;
          id_ = *id;
          parts_.questions.Add(id_,
                               std::static_pointer_cast<AnswerStream<Message>>(
                                   this->shared_from_this()));
        },
        nullptr);
    if (status.ok() && parts_.questions.draining()) return QuestionsDraining();
    return status;
  }
  void Answer(std::vector<std::string> answers) {
    answers_ = std::move(answers);
    answered_ = true;
  }

  ServerParts& parts_;

 private:
  void Step() final {
    if (!std::exchange(asked_, true)) {
      if (const absl::Status status = Ask(); !status.ok()) {
        return this->FinishOnce(status);
      }
    }
    if (!answered_) {
      absl::StatusOr<std::optional<std::vector<std::string>>> answer =
          absl::InternalError("");
      parts_.strand.Decide(
          [&](Coordinator& coordinator, Now, Effects&) {
            answer = coordinator.TakeAnswer(id_);
          },
          nullptr);
      if (!answer.ok()) return this->FinishOnce(answer.status());
      if (!answer->has_value()) return this->Rest();
      Answer(**std::move(answer));
    }
    if (sent_ == answers_.size()) return this->FinishOnce(absl::OkStatus());
    message_.Clear();
    const absl::Status read = Read(answers_[sent_], sent_ == 0, message_);
    if (!read.ok()) return this->FinishOnce(read);
    ++sent_;
    this->StartWrite(&message_);
  }
  void Closed() final {
    if (id_ == 0) return;
    parts_.questions.Remove(this);
    parts_.strand.Decide([this](Coordinator& coordinator, Now,
                                Effects&) { coordinator.EndQuestion(id_); },
                         nullptr);
  }

  // Used by whoever is busy.
  bool asked_ = false;
  bool answered_ = false;
  std::vector<std::string> answers_;
  size_t sent_ = 0;
  Message message_;
  int64_t id_ = 0;  // of the question; 0: none yet
};

}  // namespace somafit
