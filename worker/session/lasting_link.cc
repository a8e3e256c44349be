#include "worker/session/lasting_link.h"

#include <algorithm>
#include <random>
#include <string>

#include <spdlog/spdlog.h>

#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr auto kRepeatWarning = std::chrono::seconds(10);
constexpr auto kLookForEnd = std::chrono::milliseconds(200);
constexpr double kMaxHeartbeat = 10;  // [s]

// Many that lost one coordinator shall not come back all at once.
double Jittered(double seconds) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return seconds * std::uniform_real_distribution<double>(0.8, 1.2)(random);
}

}  // namespace

LastingLink::LastingLink(LinkOptions options, Connect connect,
                         std::function<void()> stopped)
    : options_(std::move(options)),
      connect_(std::move(connect)),
      stopped_(std::move(stopped)) {}

void LastingLink::Stop() {
  std::shared_ptr<SessionPort> port;
  {
    std::lock_guard lock(mutex_);
    if (stopped_at_) return;
    stopped_at_ = Clock::now();
    if (link_) port = link_->port;
  }
  changed_.notify_all();
  stopped_();
  if (port != nullptr) port->StopWaiting();
}

void LastingLink::Fail(const absl::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
  }
  Stop();
}

bool LastingLink::stopping() const {
  std::lock_guard lock(mutex_);
  return stopped_at_.has_value();
}

absl::Status LastingLink::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

bool LastingLink::Ended(Patience patience) const {
  std::lock_guard lock(mutex_);
  return EndedLocked(patience);
}

bool LastingLink::EndedLocked(Patience patience) const {
  if (!failure_.ok()) return true;
  if (!stopped_at_) return false;
  return patience == Patience::kUntilStop ||
         Clock::now() - *stopped_at_ >
             std::chrono::duration<double>(options_.grace_s);
}

bool LastingLink::Pause(double seconds, Patience patience) {
  std::unique_lock lock(mutex_);
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
  while (Clock::now() < until && !EndedLocked(patience)) {
    changed_.wait_until(lock, std::min(until, Clock::now() + kLookForEnd));
  }
  return !EndedLocked(patience);
}

bool LastingLink::Backoff::Pause(Patience patience) {
  const double pause_s = Jittered(next_s_);
  next_s_ = std::min(2 * next_s_, link_.options_.last_retry_s);
  return link_.Pause(pause_s, patience);
}

double LastingLink::heartbeat_s() const {
  std::lock_guard lock(mutex_);
  return link_ ? std::min(link_->session.lease_s / 3, kMaxHeartbeat) : 0.5;
}

std::optional<LastingLink::AnyLink> LastingLink::any() const {
  std::lock_guard lock(mutex_);
  return link_;
}

void LastingLink::LostAny(const AnyLink& link, const absl::Status& why) {
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

absl::StatusOr<LastingLink::AnyLink> LastingLink::TryToConnect() {
  AnyLink link;
  SOMAFIT_ASSIGN_OR_RETURN(link.port, connect_());
  SOMAFIT_ASSIGN_OR_RETURN(link.session,
                           link.port->Register(options_.identity));
  return link;
}

absl::Status LastingLink::Judge(const absl::Status& failure) {
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

absl::StatusOr<LastingLink::AnyLink> LastingLink::ConnectedAny(
    Patience patience) {
  std::lock_guard connecting(connect_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (EndedLocked(patience)) return absl::CancelledError("stopping");
    if (link_) return *link_;
  }
  Backoff backoff(*this);
  std::optional<Clock::time_point> warned;
  while (true) {
    absl::StatusOr<AnyLink> link = TryToConnect();
    if (link.ok()) {
      ever_connected_ = true;
      refused_since_.reset();
      std::lock_guard lock(mutex_);
      link->number = ++links_;
      link_ = *link;
      if (stopped_at_) link_->port->StopWaiting();
      spdlog::info("event=registered name=\"{}\" threads={} lease_s={}",
                   options_.identity.name, options_.identity.threads,
                   link->session.lease_s);
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
    if (!backoff.Pause(patience)) return absl::CancelledError("stopping");
  }
}

}  // namespace somafit
