#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace somafit {

// A trainer of the coordinator's own, started when an inference needs one and
// none is connected. It runs apart, since LibTorch and what users train with it
// are not to take the database with them; a crash costs a task.
//
// Thread-compatible.
class TrainerChild {
 public:
  // `arguments` of the program "somafit-trainer" beside this one.
  explicit TrainerChild(std::vector<std::string> arguments)
      : arguments_(std::move(arguments)) {}
  ~TrainerChild() { Stop(); }
  TrainerChild(const TrainerChild&) = delete;
  TrainerChild& operator=(const TrainerChild&) = delete;

  // Starts it unless it runs. After it ended by itself, not at once again.
  void Start();
  // Call some times a second while none is needed: it is buried if it ended.
  void Connected();
  // Asks it to end, and waits.
  void Stop();

 private:
  // Whether it is there; notes its end.
  bool Runs();

  const std::vector<std::string> arguments_;
  pid_t pid_ = 0;
  double not_before_s_ = 0;
  double started_s_ = 0;
  double wanted_s_ = 0;  // since when it is needed and not connected
  int n_ended_ = 0;
  bool missing_ = false;
};

}  // namespace somafit
