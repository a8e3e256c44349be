#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "absl/status/statusor.h"

namespace somafit {

// A program that lives no longer than this process, however this one ends.
// Its output goes to a log file; Ctrl-C in the terminal does not reach it.
class ChildProcess {
 public:
  // Call it from the main thread: when the thread that starts a child ends, so
  // does the child. NotFound, naming the path, if it cannot be started.
  static absl::StatusOr<ChildProcess> Start(
      const std::string& path, const std::vector<std::string>& arguments,
      const std::string& log);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills it, if it still runs.
  ~ChildProcess();

  // How it ended, e.g. "exit status 1"; nullopt while it runs.
  std::optional<std::string> Ended();
  void Terminate();
  // Waits, then kills.
  void WaitOrKill(double seconds);
  const std::string& log() const { return log_; }

 private:
  ChildProcess(pid_t pid, std::string log) : pid_(pid), log_(std::move(log)) {}

  pid_t pid_ = -1;
  std::string log_;
  std::optional<std::string> ended_;
};

}  // namespace somafit
