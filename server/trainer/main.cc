#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "server/inference/device.h"
#include "server/trainer/grpc_port.h"
#include "server/trainer/trainer.h"
#include "worker/program/program.h"
#include "worker/session/command_line.h"

namespace somafit {
namespace {

constexpr char kProgram[] = "somafit-trainer";

constexpr char kExamples[] = R"(
Examples:
  somafit-trainer --endpoint fits.endpoint
      Trains, draws and answers until it is stopped.
  somafit-trainer --endpoint fits.endpoint --idle-exit 600
      In a batch job: ends when there was nothing to do for ten minutes.

Exit status: 0 success; 1 failure; 2 a mistake in the command line.
)";

struct Options {
  SessionArguments session;
  double checkpoint_s = 30;
  std::string log_level = "info";
  bool allow_scripts = false;
};

void DescribeOptions(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.set_version_flag("--version", "somafit-trainer " SOMAFIT_VERSION);
  AddSessionArguments(app, options.session,
                      "nets of an ensemble to train at once (default: one per "
                      "core); results do not depend on it")
      ->required();
  app.add_option("--checkpoint-every", options.checkpoint_s,
                 "seconds of a training that a crash may cost: so often its "
                 "state is sent to the coordinator")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  app.add_flag(
      "--allow-torchscript", options.allow_scripts,
      "run TorchScript modules that users give as embeddings: they are "
      "code, and run as this program does");
  AddLogLevel(app, options.log_level);
}

// Signals go through a pipe: the BLAS starts threads before main, which do not
// inherit a mask, so that sigwait would miss what is delivered to them.
int signal_pipe[2];

void OnSignal(int signal) {
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe holds enough of them.
  [[maybe_unused]] const auto n = ::write(signal_pipe[1], &byte, 1);
}

bool WatchSignals() {
  if (::pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  ::fcntl(signal_pipe[0], F_SETFL, 0);  // the reader waits
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  return ::sigaction(SIGTERM, &action, nullptr) == 0 &&
         ::sigaction(SIGINT, &action, nullptr) == 0;
}

// Waits for it.
int NextSignal() {
  unsigned char byte = 0;
  while (::read(signal_pipe[0], &byte, 1) != 1) {
  }
  return byte;
}

void WarnOfSlowBlas() {
  const double speed = MeasureMatrixSpeed();
  if (speed >= kSlowMatrixSpeed) return;
  spdlog::warn(
      "event=slow_blas gflops={:.1f} remedy=\"training takes some four times "
      "as long as it need; install libopenblas0-pthread\"",
      speed);
}

int Main(int argc, char** argv) {
  if (!ProcessorSuffices(kProgram)) return 1;
  std::signal(SIGPIPE, SIG_IGN);

  Options options;
  CLI::App app(
      "Somafit's trainer: trains density estimators, draws from posteriors and "
      "answers questions about them.");
  DescribeOptions(app, options);
  if (const auto done = Parse(app, argc, argv)) return *done;

  if (!WatchSignals()) {
    std::perror("somafit-trainer: cannot make a pipe");
    return 1;
  }
  StartLog(options.log_level);
  if (!ArmFaultsOfEnvironment(kProgram)) return 2;
  SetInferenceThreads(1);
  WarnOfSlowBlas();

  TrainerOptions trainer_options;
  trainer_options.link.identity = IdentityOf(options.session, SOMAFIT_VERSION);
  trainer_options.idle_exit_s = options.session.idle_exit_s;
  trainer_options.checkpoint_s = options.checkpoint_s;
  trainer_options.allow_scripts = options.allow_scripts;
  Trainer trainer(std::move(trainer_options),
                  [&path = options.session.endpoint] {
                    return ConnectTrainerByEndpointFile(path);
                  });
  WorkUntilSignal(
      kProgram, NextSignal, [&trainer] { trainer.Stop(); },
      [&trainer] { return trainer.Run(); });
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
