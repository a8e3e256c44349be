#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "worker/agent/agent.h"
#include "worker/agent/grpc_coordinator.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/fault.h"
#include "worker/describe/commands.h"

namespace somafit {
namespace {

constexpr char kExamples[] = R"(
Examples:
  somafit-worker --endpoint fits.endpoint
      Simulates on all cores until it is stopped.
  somafit-worker --endpoint fits.endpoint --threads 4 --idle-exit 600
      In a batch job: ends when there was nothing to do for ten minutes.
  somafit check fit.yaml
  somafit compile fit.yaml --dump passes
      What the subcommands are for: these run them on a fit's file.

Exit status: 0 success; 1 failure, or mistakes in what is described; 2 a mistake
in the command line or on stdin.
)";

struct Options {
  std::string endpoint;
  std::string name;
  int threads = 0;
  std::optional<double> idle_exit_s;
  std::string kernel = "native";
  int memory_mib = 1024;
  std::string log_level = "info";
};

void DescribeOptions(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.set_version_flag("--version", "somafit-worker " SOMAFIT_VERSION);
  app.add_option("--endpoint", options.endpoint,
                 "endpoint file that the coordinator wrote; may come later")
      ->envname("SOMAFIT_ENDPOINT");
  app.add_option("--threads", options.threads,
                 "threads to simulate on (default: one per core)")
      ->check(CLI::Range(1, 4096));
  app.add_option("--name", options.name,
                 "name to show (default: host and process id)");
  app.add_option("--idle-exit", options.idle_exit_s,
                 "end when there was no task for so many seconds")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--memory-limit", options.memory_mib,
                 "MiB of datasets to keep for later tasks")
      ->check(CLI::Range(1, 1 << 22))
      ->capture_default_str();
  app.add_option("--kernel", options.kernel,
                 "native: compiled code; interpreter: the slow reference, with "
                 "the same bits")
      ->check(CLI::IsMember({"native", "interpreter"}))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level,
                 "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
}

std::string HostName() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The exit status if the command line says all (help, version, a mistake).
std::optional<int> Parse(CLI::App& app, const Options& options, int argc,
                         char** argv) {
  const int status = [&]() -> int {
    CLI11_PARSE(app, argc, argv);
    // Not an option that is required: subcommands need none.
    if (!app.get_subcommands().empty() || !options.endpoint.empty()) return -1;
    return app.exit(CLI::RequiredError("--endpoint"));
  }();
  if (status == -1) return std::nullopt;
  return status == 0 ? 0 : 2;
}

int Main(int argc, char** argv) {
  // Everything here is compiled for these: without them the first vector
  // instruction would end the program without a word.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::fputs(
        "somafit-worker: this processor lacks AVX2 or FMA, which simulations "
        "need; run the worker on another host\n",
        stderr);
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);

  Options options;
  CLI::App app("Somafit's worker: simulates what the coordinator hands out.");
  DescribeOptions(app, options);
  app.require_subcommand(0, 1);
  DescribeAction describe;
  AddDescribeCommands(app, &describe);
  if (const auto done = Parse(app, options, argc, argv)) return *done;
  if (describe) return describe();

  if (const absl::Status status = CheckNumerics(); !status.ok()) {
    std::fprintf(stderr, "somafit-worker: %s\n",
                 std::string(status.message()).c_str());
    return 1;
  }
  // Before any thread: all of them leave these to sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto log = spdlog::stderr_logger_mt("somafit");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ level=%l %v",
                   spdlog::pattern_time_type::utc);
  log->set_level(spdlog::level::from_str(options.log_level));
  spdlog::set_default_logger(log);
  if (const char* faults = std::getenv("SOMAFIT_FAULTS")) {
    if (const absl::Status armed = ArmFaults(faults); !armed.ok()) {
      std::fprintf(stderr, "somafit-worker: SOMAFIT_FAULTS: %s\n",
                   std::string(armed.message()).c_str());
      return 2;
    }
  }
  AgentOptions agent_options;
  agent_options.bench.memory_bytes = static_cast<size_t>(options.memory_mib)
                                     << 20;
  if (options.kernel == "interpreter") {
    agent_options.bench.kernels = InterpretingKernel;
  }
  WorkerIdentity& identity = agent_options.identity;
  identity.host = HostName();
  identity.name = options.name.empty()
                      ? identity.host + "-" + std::to_string(::getpid())
                      : options.name;
  identity.version = SOMAFIT_VERSION;
  const unsigned cores = std::thread::hardware_concurrency();
  identity.threads = options.threads > 0 ? options.threads
                     : cores > 0         ? static_cast<int>(cores)
                                         : 1;
  agent_options.idle_exit_s = options.idle_exit_s;
  Agent agent(std::move(agent_options), [path = options.endpoint] {
    return ConnectByEndpointFile(path);
  });
  std::thread([&agent, signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    spdlog::info("event=stopping signal={}", signal);
    agent.Stop();
    sigwait(&signals, &signal);  // the second one means now
    ::_exit(130);
  }).detach();
  const absl::Status status = agent.Run();
  if (!status.ok()) {
    std::fprintf(stderr, "somafit-worker: %s\n",
                 std::string(status.message()).c_str());
  } else {
    spdlog::info("event=stopped");
  }
  // The thread that waits for signals still refers to the agent.
  std::fflush(nullptr);
  ::_exit(status.ok() ? 0 : 1);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
