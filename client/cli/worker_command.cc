#include "client/cli/worker_command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "client/cli/installation.h"
#include "worker/core/base/status.h"

extern char** environ;

namespace somafit {
namespace {

// A file without a name that holds `text`, at its beginning; -1 with errno. A
// pipe would have to be fed while the child runs.
int FileInMemory(absl::string_view text) {
  const int file = memfd_create("outline", MFD_CLOEXEC);
  while (file >= 0 && !text.empty()) {
    const ssize_t n = write(file, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      close(file);
      return -1;
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  if (file >= 0) lseek(file, 0, SEEK_SET);
  return file;
}

}  // namespace

absl::StatusOr<int> RunWorkerCommand(const std::vector<std::string>& arguments,
                                     const std::string& input) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string path,
                           ProgramBeside("somafit-worker"));
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::fflush(nullptr);
  const int file = FileInMemory(input);
  if (file < 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "cannot hand the fit to somafit-worker: ", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(file);
  if (error != 0) {
    return absl::NotFoundError(
        absl::StrCat("cannot start ", path, ": ", std::strerror(error),
                     "; install it beside the program somafit"));
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno == EINTR) continue;
    return absl::InternalError(
        absl::StrCat("cannot wait for somafit-worker: ", std::strerror(errno)));
  }
  if (WIFSIGNALED(status)) {
    return absl::AbortedError(
        absl::StrCat("somafit-worker ended with signal ", WTERMSIG(status)));
  }
  return WEXITSTATUS(status);
}

}  // namespace somafit
