#include "client/cli/child_process.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

// Only what may be called between fork and exec. Writes errno to `report` if
// the program cannot be started.
[[noreturn]] void BecomeProgram(const char* path, char* const* arguments,
                                int log, int report, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // It died before we asked.
  setpgid(0, 0);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execv(path, arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(report, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(
    const std::string& path, const std::vector<std::string>& arguments,
    const std::string& log) {
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const int log_file =
      open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int report[2] = {-1, -1};
  pid_t pid = -1;
  int error = 0;
  if (log_file < 0 || pipe2(report, O_CLOEXEC) != 0) {
    error = errno;
  } else {
    const pid_t parent = getpid();
    pid = fork();
    if (pid == 0) {
      BecomeProgram(path.c_str(), argv.data(), log_file, report[1], parent);
    }
    error = pid < 0 ? errno : 0;
    close(report[1]);
    while (error == 0 && read(report[0], &error, sizeof(error)) < 0 &&
           errno == EINTR) {
    }
    close(report[0]);
  }
  if (log_file >= 0) close(log_file);
  if (error == 0) return ChildProcess(pid, log);
  if (pid > 0) waitpid(pid, nullptr, 0);
  return absl::NotFoundError(
      absl::StrCat("cannot start ", path, ": ", std::strerror(error),
                   "; install it beside the program somafit"));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      log_(std::move(other.log_)),
      ended_(std::move(other.ended_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || Ended()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::optional<std::string> ChildProcess::Ended() {
  if (ended_ || pid_ < 0) return ended_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  ended_ = WIFSIGNALED(status)
               ? absl::StrCat("signal ", WTERMSIG(status))
               : absl::StrCat("exit status ", WEXITSTATUS(status));
  return ended_;
}

void ChildProcess::Terminate() {
  if (!Ended()) kill(pid_, SIGTERM);
}

void ChildProcess::WaitOrKill(double seconds) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!Ended()) {
    if (std::chrono::steady_clock::now() > deadline) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace somafit
