#include "server/trainer_child.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <spdlog/spdlog.h>

namespace somafit {
namespace {

constexpr double kLongestPause = 60;  // s, between starts
constexpr double kHangs = 120;        // s, without a connection
constexpr auto kGrace = std::chrono::seconds(5);

double SteadySeconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// "" if there is none.
std::string ProgramBeside() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "";
  const auto path = self.parent_path() / "somafit-trainer";
  return ::access(path.c_str(), X_OK) == 0 ? path.string() : "";
}

}  // namespace

bool TrainerChild::Runs() {
  if (pid_ == 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    // It had nothing to do.
    n_ended_ = 0;
    not_before_s_ = 0;
    return false;
  }
  if (SteadySeconds() - started_s_ > kLongestPause) n_ended_ = 0;
  ++n_ended_;
  const double pause =
      std::min(kLongestPause, 0.5 * (1 << std::min(n_ended_, 7)));
  not_before_s_ = SteadySeconds() + pause;
  spdlog::warn("event=trainer_ended status={} signal={}",
               WIFEXITED(status) ? WEXITSTATUS(status) : -1,
               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return false;
}

void TrainerChild::Connected() {
  wanted_s_ = SteadySeconds();
  (void)Runs();
}

void TrainerChild::Start() {
  if (missing_) return;
  if (Runs()) {
    // It is wanted and has not come: it hangs.
    if (SteadySeconds() - wanted_s_ > kHangs) {
      spdlog::warn("event=trainer_hangs pid={}", pid_);
      ::kill(pid_, SIGKILL);
      wanted_s_ = SteadySeconds();
    }
    return;
  }
  if (SteadySeconds() < not_before_s_) return;
  const std::string program = ProgramBeside();
  if (program.empty()) {
    missing_ = true;
    spdlog::warn(
        "event=trainer_missing reason=\"there is no program somafit-trainer "
        "beside this one; start one elsewhere\"");
    return;
  }
  // All memory is made before the fork: behind it only what a signal handler
  // may do is allowed, since other threads hold locks.
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments_) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(0);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  if (child < 0) {
    not_before_s_ = SteadySeconds() + kLongestPause;
    spdlog::warn("event=trainer_not_started errno={}", errno);
    return;
  }
  pid_ = child;
  started_s_ = wanted_s_ = SteadySeconds();
  spdlog::info("event=trainer_started pid={}", pid_);
}

void TrainerChild::Stop() {
  if (!Runs()) return;
  ::kill(pid_, SIGTERM);
  const auto until = std::chrono::steady_clock::now() + kGrace;
  while (std::chrono::steady_clock::now() < until) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = 0;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace somafit
