#include "server/rpc/strand.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

#include "worker/core/base/fault.h"

namespace somafit {
namespace {

Strand::Summary Summarize(const WriteSet& writes) {
  Strand::Summary summary;
  for (const Write& write : writes) {
    if (const auto* event = std::get_if<EventRecord>(&write)) {
      summary.touched.insert(event->fit);
      summary.round_end |= event->kind == EventRecord::Kind::kRound;
    } else if (const auto* deleted = std::get_if<DeletedFit>(&write)) {
      summary.touched.insert(deleted->fit);
      --summary.fits_made;
    } else if (std::holds_alternative<NewFit>(write)) {
      ++summary.fits_made;
    }
    summary.draw |= std::holds_alternative<RoundRecord>(write) ||
                    std::holds_alternative<DrawnSamples>(write);
    summary.results |= std::holds_alternative<ResultsRecord>(write);
  }
  return summary;
}

void ReachFaultPoints(const Strand::Summary& summary) {
  if (summary.draw) FaultPoint("draw_committed");
  if (summary.results) FaultPoint("reported_not_told");
  if (summary.round_end) FaultPoint("round_end");
}

void LogChanges(const WriteSet& writes) {
  for (const Write& write : writes) {
    if (const auto* made = std::get_if<NewFit>(&write)) {
      spdlog::info("event=fit_created fit={} id={} parameters={}",
                   made->fit.name, made->fit.id, made->fit.parameters.size());
    } else if (const auto* gone = std::get_if<DeletedFit>(&write)) {
      spdlog::info("event=fit_deleted fit={} id={}", gone->name, gone->fit);
    } else if (const auto* event = std::get_if<EventRecord>(&write);
               event && event->kind == EventRecord::Kind::kState) {
      spdlog::info("event=fit_state id={} state={} reason={} seq={}",
                   event->fit, FitStateName(event->state),
                   event->reason.empty() ? "-" : event->reason, event->seq);
    } else if (event) {
      spdlog::debug("event=round id={} stage={} round={} samples={} seq={}",
                    event->fit, event->stage, event->round, event->n_samples,
                    event->seq);
    }
  }
}

}  // namespace

Now ReadClock() {
  using std::chrono::duration;
  return {.steady_s = duration<double>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count(),
          .unix_us = std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count()};
}

Strand::Strand(Coordinator& coordinator, Store& store, Executor& executor)
    : coordinator_(coordinator),
      store_(store),
      executor_(executor),
      requests_(store) {}

void Strand::Decide(const Decision& decision, Then then) {
  std::lock_guard lock(mutex_);
  DecideLocked(decision, std::move(then));
}

void Strand::DecideLocked(const Decision& decision, Then then) {
  if (stopped_) return;
  Effects effects;
  decision(coordinator_, ReadClock(), effects);
  const bool work = effects.work_available;
  const bool training = effects.trainer_work;
  if (!effects.writes.empty()) FaultPoint("before_commit");
  LogChanges(effects.writes);
  Summary summary = Summarize(effects.writes);
  summary.trace_requests = {effects.trace_requests.begin(),
                            effects.trace_requests.end()};
  summary.questions = {effects.questions.begin(), effects.questions.end()};
  summary.trainings = {effects.trainings.begin(), effects.trainings.end()};
  fit_count += summary.fits_made;
  const bool anything =
      then || !effects.writes.empty() || !effects.advance.empty() ||
      !effects.trace_requests.empty() || !effects.questions.empty() ||
      !effects.trainings.empty();
  if (anything) Submit(std::move(effects), std::move(summary), std::move(then));
  if (work && work_available) work_available();
  if (training && trainer_work) trainer_work();
}

void Strand::Submit(Effects effects, Summary summary, Then then) {
  store_.Submit(
      std::move(effects.writes),
      [this, summary = std::move(summary), advance = std::move(effects.advance),
       then = std::move(then)]() mutable {
        ReachFaultPoints(summary);
        if (!then && summary.touched.empty() && advance.empty() &&
            summary.trace_requests.empty() && summary.questions.empty() &&
            summary.trainings.empty()) {
          return;
        }
        executor_.Post(
            [this, summary = std::move(summary), advance = std::move(advance),
             then = std::move(then)] { Committed(summary, advance, then); });
      });
}

void Strand::Committed(const Summary& summary,
                       const std::vector<int64_t>& advance, const Then& then) {
  if (then) then();
  if (!summary.touched.empty() && touched) touched(summary.touched);
  if (!summary.trace_requests.empty() && traces_changed) {
    traces_changed(summary.trace_requests);
  }
  if (!summary.questions.empty() && questions_changed) {
    questions_changed(summary.questions);
  }
  if (!summary.trainings.empty() && trainings_changed) {
    trainings_changed(summary.trainings);
  }
  for (const int64_t fit : advance) {
    Decide([fit](Coordinator& coordinator, Now now,
                 Effects& effects) { coordinator.Advance(fit, now, effects); },
           nullptr);
  }
}

void Strand::Peek(const std::function<void(Coordinator&, RequestLog&)>& look) {
  std::lock_guard lock(mutex_);
  look(coordinator_, requests_);
}

void Strand::WithLock(const std::function<void()>& body) {
  std::lock_guard lock(mutex_);
  body();
}

void Strand::DecideOnce(const Once& once, const Mutation& decide,
                        Answer answer) {
  auto result = std::make_shared<absl::StatusOr<std::string>>(
      absl::InternalError("not decided"));
  Decide(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        if (!once.request_id.empty()) {
          auto found =
              requests_.Find(once.request_id, once.method, once.body_hash);
          if (!found.ok()) {
            *result = found.status();
            return;
          }
          if (found->has_value()) {
            *result = **std::move(found);
            return;
          }
        }
        *result = decide(coordinator, now, effects);
        if (!result->ok() || once.request_id.empty()) return;
        RequestRecord record{.request_id = once.request_id,
                             .method = once.method,
                             .body_hash = once.body_hash,
                             .response = **result,
                             .time_us = now.unix_us};
        requests_.Remember(record);
        effects.writes.push_back(std::move(record));
      },
      [result, answer = std::move(answer)] { answer(std::move(*result)); });
}

void Strand::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
}

}  // namespace somafit
