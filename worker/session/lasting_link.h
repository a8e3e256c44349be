#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"

#include "worker/session/session_port.h"

namespace somafit {

struct LinkOptions {
  Identity identity;
  double grace_s = 5;  // of what is under way, and of its report, after Stop
  double first_retry_s = 0.05;
  double last_retry_s = 5;
  // How long a token that worked may be refused: the endpoint file may be about
  // to be replaced.
  double token_patience_s = 60;
};

// Until when something is worth waiting for: new work until Stop, the end of
// what is under way until grace has passed.
enum class Patience { kUntilStop, kUntilGraceEnds };

// A connection with a session; valid until somebody finds it lost.
template <typename Port>
struct LinkTo {
  std::shared_ptr<Port> port;
  Session session;
  int number = 0;  // counts from 1
};

// The link to a coordinator, found, lost and found again, however long that
// takes; and whether its owner is to stop, which ends all waiting for it.
//
// Thread-safe. What only looks may be called with a lock of the owner's held.
class LastingLink {
 public:
  LastingLink(const LastingLink&) = delete;
  LastingLink& operator=(const LastingLink&) = delete;

  // Ends waiting. Idempotent.
  void Stop();
  bool stopping() const;
  // What Stop was called for: Ok, or an error that waiting does not cure.
  absl::Status failure() const;
  bool Ended(Patience patience) const;
  // False when patience has ended, which also ends the pause.
  bool Pause(double seconds, Patience patience);
  // Seconds between two heartbeats, or looks for a link where there is none.
  double heartbeat_s() const;

  // Ever longer pauses between attempts.
  class Backoff {
   public:
    explicit Backoff(LastingLink& link)
        : link_(link), next_s_(link.options_.first_retry_s) {}
    // As LastingLink::Pause.
    bool Pause(Patience patience);

   private:
    LastingLink& link_;
    double next_s_;
  };

 protected:
  using AnyLink = LinkTo<SessionPort>;
  using Connect = std::function<absl::StatusOr<std::shared_ptr<SessionPort>>()>;

  LastingLink(LinkOptions options, Connect connect,
              std::function<void()> stopped);
  ~LastingLink() = default;

  absl::StatusOr<AnyLink> ConnectedAny(Patience patience);
  std::optional<AnyLink> any() const;
  void LostAny(const AnyLink& link, const absl::Status& why);

 private:
  using Clock = std::chrono::steady_clock;

  absl::StatusOr<AnyLink> TryToConnect();
  // What a failed attempt means: Ok to try again, else the end.
  absl::Status Judge(const absl::Status& failure);
  void Fail(const absl::Status& status);
  bool EndedLocked(Patience patience) const;

  const LinkOptions options_;
  const Connect connect_;
  const std::function<void()> stopped_;

  std::mutex connect_mutex_;  // held while connecting; before mutex_
  bool ever_connected_ = false;
  std::optional<Clock::time_point> refused_since_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<AnyLink> link_;
  int links_ = 0;
  std::optional<Clock::time_point> stopped_at_;
  absl::Status failure_;
};

// A LastingLink whose connections are `Port`s.
template <typename Port>
class LastingLinkTo final : public LastingLink {
 public:
  // Connects to where the coordinator is, which is read anew each time.
  using Connect = std::function<absl::StatusOr<std::shared_ptr<Port>>()>;

  // `stopped` is called once, by the thread that stops the link, for the owner
  // to wake its own; it may take locks of the owner's.
  LastingLinkTo(
      LinkOptions options, Connect connect,
      std::function<void()> stopped = [] {})
      : LastingLink(std::move(options), std::move(connect),
                    std::move(stopped)) {}

  // The link, or a new one, however long that takes. Cancelled when patience
  // ends.
  absl::StatusOr<LinkTo<Port>> Connected(Patience patience) {
    absl::StatusOr<AnyLink> link = ConnectedAny(patience);
    if (!link.ok()) return link.status();
    return Typed(*link);
  }
  // The link if there is one.
  std::optional<LinkTo<Port>> current() const {
    const std::optional<AnyLink> link = any();
    if (!link) return std::nullopt;
    return Typed(*link);
  }
  // Nobody shall use `link` again, because of `why`.
  void Lost(const LinkTo<Port>& link, const absl::Status& why) {
    LostAny({link.port, link.session, link.number}, why);
  }

 private:
  static LinkTo<Port> Typed(const AnyLink& link) {
    return {std::static_pointer_cast<Port>(link.port), link.session,
            link.number};
  }
};

}  // namespace somafit
