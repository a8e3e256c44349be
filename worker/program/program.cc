#include "worker/program/program.h"

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "worker/core/base/fault.h"

namespace somafit {

void PrintError(const char* program, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", program,
               std::string(status.message()).c_str());
}

bool ProcessorSuffices(const char* program) {
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return true;
  }
  std::fprintf(stderr,
               "%s: this processor lacks AVX2 or FMA, which Somafit needs; run "
               "it on another host\n",
               program);
  return false;
}

std::optional<int> Parse(CLI::App& app, int argc, char** argv) {
  const int status = [&]() -> int {
    CLI11_PARSE(app, argc, argv);
    return -1;
  }();
  if (status == -1) return std::nullopt;
  return status == 0 ? 0 : 2;
}

void AddLogLevel(CLI::App& app, std::string& level) {
  app.add_option("--log-level", level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
}

void StartLog(const std::string& level) {
  auto log = spdlog::stderr_logger_mt("somafit");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ level=%l %v",
                   spdlog::pattern_time_type::utc);
  log->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(log);
}

bool ArmFaultsOfEnvironment(const char* program) {
  const char* faults = std::getenv("SOMAFIT_FAULTS");
  if (faults == nullptr) return true;
  const absl::Status armed = ArmFaults(faults);
  if (armed.ok()) return true;
  std::fprintf(stderr, "%s: SOMAFIT_FAULTS: %s\n", program,
               std::string(armed.message()).c_str());
  return false;
}

std::string HostName() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void WorkUntilSignal(const char* program,
                     const std::function<int()>& next_signal,
                     const std::function<void()>& stop,
                     const std::function<absl::Status()>& work) {
  std::thread([&] {
    spdlog::info("event=stopping signal={}", next_signal());
    stop();
    next_signal();  // the second one means now
    ::_exit(130);
  }).detach();
  const absl::Status status = work();
  if (status.ok()) {
    spdlog::info("event=stopped");
  } else {
    PrintError(program, status);
  }
  // The thread that waits for signals still refers to what works, and threads
  // of libraries have no order in which to end.
  std::fflush(nullptr);
  ::_exit(status.ok() ? 0 : 1);
}

}  // namespace somafit
