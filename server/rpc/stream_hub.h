#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/status/status.h"

namespace somafit {

// Which streams wait for news of what (a fit, a request), by its number.
//
// Thread-safe.
template <typename Stream>
class StreamHub {
 public:
  void Add(int64_t subject, const std::shared_ptr<Stream>& stream) {
    std::lock_guard lock(mutex_);
    streams_[subject].push_back(stream);
  }
  void Remove(const Stream* stream) {
    std::lock_guard lock(mutex_);
    for (auto it = streams_.begin(); it != streams_.end();) {
      std::erase_if(it->second, [stream](const std::weak_ptr<Stream>& entry) {
        const auto live = entry.lock();
        return live == nullptr || live.get() == stream;
      });
      it = it->second.empty() ? streams_.erase(it) : std::next(it);
    }
  }
  // There are news of these, or they are gone.
  void Wake(const std::set<int64_t>& subjects) {
    std::vector<std::shared_ptr<Stream>> woken;
    {
      std::lock_guard lock(mutex_);
      for (const int64_t subject : subjects) {
        const auto found = streams_.find(subject);
        if (found != streams_.end()) Collect(found->second, woken);
      }
    }
    for (const auto& stream : woken) stream->Wake();
  }
  // Ends all streams with this; those to come are to end at once.
  void Drain(const absl::Status& why) {
    std::vector<std::shared_ptr<Stream>> all;
    {
      std::lock_guard lock(mutex_);
      draining_ = true;
      for (const auto& [subject, streams] : streams_) Collect(streams, all);
    }
    for (const auto& stream : all) stream->End(why);
  }
  bool draining() const {
    std::lock_guard lock(mutex_);
    return draining_;
  }

 private:
  static void Collect(const std::vector<std::weak_ptr<Stream>>& from,
                      std::vector<std::shared_ptr<Stream>>& to) {
    for (const auto& entry : from) {
      if (auto stream = entry.lock()) to.push_back(std::move(stream));
    }
  }

  mutable std::mutex mutex_;
  bool draining_ = false;
  std::map<int64_t, std::vector<std::weak_ptr<Stream>>> streams_;
};

}  // namespace somafit
