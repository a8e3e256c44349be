#include <csignal>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "worker/agent/agent.h"
#include "worker/agent/grpc_coordinator.h"
#include "worker/core/base/elementary.h"
#include "worker/describe/commands.h"
#include "worker/program/program.h"
#include "worker/session/command_line.h"

namespace somafit {
namespace {

constexpr char kProgram[] = "somafit-worker";

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
  SessionArguments session;
  std::string kernel = "native";
  int memory_mib = 1024;
  std::string log_level = "info";
};

void DescribeOptions(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.set_version_flag("--version", "somafit-worker " SOMAFIT_VERSION);
  AddSessionArguments(app, options.session,
                      "threads to simulate on (default: one per core)");
  app.add_option("--memory-limit", options.memory_mib,
                 "MiB of datasets to keep for later tasks")
      ->check(CLI::Range(1, 1 << 22))
      ->capture_default_str();
  app.add_option("--kernel", options.kernel,
                 "native: compiled code; interpreter: the slow reference, with "
                 "the same bits")
      ->check(CLI::IsMember({"native", "interpreter"}))
      ->capture_default_str();
  AddLogLevel(app, options.log_level);
}

int Main(int argc, char** argv) {
  if (!ProcessorSuffices(kProgram)) return 1;
  std::signal(SIGPIPE, SIG_IGN);

  Options options;
  CLI::App app("Somafit's worker: simulates what the coordinator hands out.");
  DescribeOptions(app, options);
  app.require_subcommand(0, 1);
  DescribeAction describe;
  AddDescribeCommands(app, &describe);
  if (const auto done = Parse(app, argc, argv)) return *done;
  if (describe) return describe();
  // Not an option that is required: subcommands need none.
  if (options.session.endpoint.empty()) {
    app.exit(CLI::RequiredError("--endpoint"));
    return 2;
  }
  if (const absl::Status status = CheckNumerics(); !status.ok()) {
    PrintError(kProgram, status);
    return 1;
  }
  const sigset_t signals = BlockStopSignals();
  StartLog(options.log_level);
  if (!ArmFaultsOfEnvironment(kProgram)) return 2;
  AgentOptions agent_options;
  agent_options.bench.memory_bytes = static_cast<size_t>(options.memory_mib)
                                     << 20;
  if (options.kernel == "interpreter") {
    agent_options.bench.kernels = InterpretingKernel;
  }
  agent_options.link.identity = IdentityOf(options.session, SOMAFIT_VERSION);
  agent_options.idle_exit_s = options.session.idle_exit_s;
  Agent agent(std::move(agent_options), [&path = options.session.endpoint] {
    return ConnectByEndpointFile(path);
  });
  WorkUntilSignal(
      kProgram,
      [&signals] {
        int signal = 0;
        sigwait(&signals, &signal);
        return signal;
      },
      [&agent] { agent.Stop(); }, [&agent] { return agent.Run(); });
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
