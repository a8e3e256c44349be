#include "client/cli/embedded.h"

#include <chrono>
#include <csignal>
#include <thread>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "client/cli/installation.h"
#include "client/lib/text_file.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

using std::chrono::steady_clock;

constexpr auto kStartTime = std::chrono::seconds(30);
constexpr double kWorkerStopSeconds = 5;
constexpr double kServerStopSeconds = 10;
constexpr size_t kMaxLogBytes = size_t{64} << 20;
constexpr size_t kShownLines = 15;

// Interrupted: a stop signal is pending (they are blocked).
bool StopAsked() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
         sigismember(&pending, SIGHUP);
}

absl::Status Broken(absl::string_view program, const std::string& how,
                    const std::string& log) {
  std::string tail = "(its log is empty)";
  const absl::StatusOr<std::string> text = ReadFile(log, kMaxLogBytes);
  if (text.ok() && !text->empty()) {
    std::vector<std::string> lines = absl::StrSplit(*text, '\n');
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    const size_t first =
        lines.size() > kShownLines ? lines.size() - kShownLines : 0;
    tail = absl::StrJoin(lines.begin() + first, lines.end(), "\n");
  }
  return absl::AbortedError(
      absl::StrCat(program, " ended by itself with ", how, ":\n", tail));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Embedded>> Embedded::Start(
    const EmbeddedOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(std::unique_ptr<PrivateFolder> folder,
                           PrivateFolder::Make());
  if (options.keep) folder->Keep();
  std::unique_ptr<Embedded> embedded(new Embedded(std::move(folder)));
  SOMAFIT_RETURN_IF_ERROR(embedded->StartServer(options));
  SOMAFIT_RETURN_IF_ERROR(embedded->StartWorkers(options));
  return embedded;
}

absl::Status Embedded::StartServer(const EmbeddedOptions& options) {
  const std::string endpoint = folder() + "/endpoint";
  SOMAFIT_ASSIGN_OR_RETURN(const std::string program,
                           ProgramBeside("somafit-server"));
  std::vector<std::string> arguments = {
      "--listen",   absl::StrCat("unix:", folder(), "/socket"),
      "--db",       options.database,
      "--endpoint", endpoint};
  if (options.allow_scripts) arguments.push_back("--allow-torchscript");
  SOMAFIT_ASSIGN_OR_RETURN(
      ChildProcess server,
      ChildProcess::Start(program, arguments, folder() + "/server.log"));
  server_.emplace(std::move(server));
  const auto deadline = steady_clock::now() + kStartTime;
  while (access(endpoint.c_str(), R_OK) != 0) {
    SOMAFIT_RETURN_IF_ERROR(Health());
    if (StopAsked()) return absl::CancelledError("interrupted");
    if (steady_clock::now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "somafit-server does not answer after 30 s; its database is ",
          options.database));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  SOMAFIT_ASSIGN_OR_RETURN(endpoint_, ReadEndpointFile(endpoint));
  return absl::OkStatus();
}

absl::Status Embedded::StartWorkers(const EmbeddedOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string program,
                           ProgramBeside("somafit-worker"));
  for (int i = 0; i < options.workers; ++i) {
    SOMAFIT_ASSIGN_OR_RETURN(
        ChildProcess worker,
        ChildProcess::Start(
            program,
            {"--endpoint", endpoint_.path, "--threads",
             absl::StrCat(options.threads), "--name", absl::StrCat("run-", i)},
            absl::StrCat(folder(), "/worker-", i, ".log")));
    workers_.push_back(std::move(worker));
  }
  return absl::OkStatus();
}

absl::Status Embedded::Health() {
  if (server_) {
    if (const std::optional<std::string> how = server_->Ended()) {
      return Broken("somafit-server", *how, server_->log());
    }
  }
  for (ChildProcess& worker : workers_) {
    if (const std::optional<std::string> how = worker.Ended()) {
      return Broken("somafit-worker", *how, worker.log());
    }
  }
  return absl::OkStatus();
}

Embedded::~Embedded() {
  // Workers first, while there is somebody to give their tasks back to.
  for (ChildProcess& worker : workers_) worker.Terminate();
  for (ChildProcess& worker : workers_) worker.WaitOrKill(kWorkerStopSeconds);
  if (server_) {
    server_->Terminate();
    server_->WaitOrKill(kServerStopSeconds);
  }
}

}  // namespace somafit
