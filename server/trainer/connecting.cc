#include <algorithm>
#include <random>

#include <spdlog/spdlog.h>

#include "server/trainer/trainer.h"
#include "worker/core/base/status.h"

// How the trainer finds its coordinator, and finds it again.

namespace somafit {
namespace {

constexpr auto kRepeatWarning = std::chrono::seconds(10);

// Many trainers that lost one coordinator shall not come back all at once.
double Jittered(double seconds) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return seconds * std::uniform_real_distribution<double>(0.8, 1.2)(random);
}

}  // namespace

bool Trainer::stopping() const {
  std::lock_guard lock(mutex_);
  return stopped_at_.has_value();
}

bool Trainer::PatienceEnded(Patience patience) const {
  if (!failure_.ok()) return true;
  if (!stopped_at_) return false;
  return patience == Patience::kUntilStop ||
         Clock::now() - *stopped_at_ >
             std::chrono::duration<double>(options_.grace_s);
}

bool Trainer::Pause(double seconds, Patience patience) {
  std::unique_lock lock(mutex_);
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
  while (Clock::now() < until && !PatienceEnded(patience)) {
    changed_.wait_until(
        lock, std::min(until, Clock::now() + std::chrono::milliseconds(200)));
  }
  return !PatienceEnded(patience);
}

void Trainer::Lost(const Link& link, const absl::Status& why) {
  {
    std::lock_guard lock(mutex_);
    if (!link_ || link_->number != link.number) return;
    link_.reset();
    if (!stopped_at_) {
      spdlog::warn("event=connection_lost reason=\"{}\"",
                   std::string(why.message()));
    }
  }
  // Another thread may wait for work there; Stop knows only the latest.
  link.port->StopWaiting();
}

absl::StatusOr<Trainer::Link> Trainer::TryToConnect() {
  Link link;
  SOMAFIT_ASSIGN_OR_RETURN(link.port, connect_());
  SOMAFIT_ASSIGN_OR_RETURN(link.session,
                           link.port->Register(options_.identity));
  return link;
}

absl::Status Trainer::Judge(const absl::Status& failure) {
  if (!absl::IsUnauthenticated(failure)) refused_since_.reset();
  if (absl::IsFailedPrecondition(failure)) return failure;
  if (absl::IsInvalidArgument(failure) && !ever_connected_) return failure;
  if (absl::IsUnauthenticated(failure)) {
    if (!ever_connected_) return failure;
    if (!refused_since_) refused_since_ = Clock::now();
    if (Clock::now() - *refused_since_ >
        std::chrono::duration<double>(options_.token_patience_s)) {
      return failure;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Trainer::Link> Trainer::Connected(Patience patience) {
  std::lock_guard connecting(connect_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (PatienceEnded(patience)) return absl::CancelledError("stopping");
    if (link_) return *link_;
  }
  double wait_s = options_.first_retry_s;
  std::optional<Clock::time_point> warned;
  while (true) {
    absl::StatusOr<Link> link = TryToConnect();
    if (link.ok()) {
      ever_connected_ = true;
      refused_since_.reset();
      std::lock_guard lock(mutex_);
      link->number = ++links_;
      link_ = *link;
      if (stopped_at_) link_->port->StopWaiting();
      changed_.notify_all();
      spdlog::info("event=registered name=\"{}\" lease_s={}",
                   options_.identity.name, link->session.lease_s);
      return link;
    }
    const absl::Status end = Judge(link.status());
    if (!end.ok()) {
      Fail(end);
      return end;
    }
    if (!warned || Clock::now() - *warned > kRepeatWarning) {
      warned = Clock::now();
      spdlog::warn("event=waiting_for_coordinator reason=\"{}\"",
                   std::string(link.status().message()));
    }
    if (!Pause(Jittered(wait_s), patience)) {
      return absl::CancelledError("stopping");
    }
    wait_s = std::min(2 * wait_s, options_.last_retry_s);
  }
}

}  // namespace somafit
