#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace somafit {

// A few threads that run what is posted, in the order of posting.
//
// Thread-safe.
class Executor {
 public:
  explicit Executor(int threads);
  ~Executor();  // Stop

  // Dropped after Stop.
  void Post(std::function<void()> work);
  // Runs what has been posted, then joins. Idempotent.
  void Stop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace somafit
