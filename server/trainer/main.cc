#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "server/inference/device.h"
#include "server/trainer/grpc_port.h"
#include "server/trainer/trainer.h"
#include "worker/core/base/fault.h"

namespace somafit {
namespace {

constexpr char kExamples[] = R"(
Examples:
  somafit-trainer --endpoint fits.endpoint
      Trains, draws and answers until it is stopped.
  somafit-trainer --endpoint fits.endpoint --idle-exit 600
      In a batch job: ends when there was nothing to do for ten minutes.

Exit status: 0 success; 1 failure; 2 a mistake in the command line.
)";

struct Options {
  std::string endpoint;
  std::string name;
  int threads = 0;
  std::optional<double> idle_exit_s;
  std::string log_level = "info";
  bool allow_scripts = false;
};

void DescribeOptions(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.set_version_flag("--version", "somafit-trainer " SOMAFIT_VERSION);
  app.add_option("--endpoint", options.endpoint,
                 "endpoint file that the coordinator wrote; may come later")
      ->envname("SOMAFIT_ENDPOINT")
      ->required();
  app.add_option("--threads", options.threads,
                 "nets of an ensemble to train at once (default: one per "
                 "core); results do not depend on it")
      ->check(CLI::Range(1, 4096));
  app.add_option("--name", options.name,
                 "name to show (default: host and process id)");
  app.add_option("--idle-exit", options.idle_exit_s,
                 "end when there was no task for so many seconds")
      ->check(CLI::Range(0.0, 1e9));
  app.add_flag(
      "--allow-torchscript", options.allow_scripts,
      "run TorchScript modules that users give as embeddings: they are "
      "code, and run as this program does");
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
std::optional<int> Parse(CLI::App& app, int argc, char** argv) {
  const int status = [&]() -> int {
    CLI11_PARSE(app, argc, argv);
    return -1;
  }();
  if (status == -1) return std::nullopt;
  return status == 0 ? 0 : 2;
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
  // Everything here is compiled for these: without them the first vector
  // instruction would end the program without a word.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::fputs(
        "somafit-trainer: this processor lacks AVX2 or FMA, which Somafit "
        "needs; run the trainer on another host\n",
        stderr);
    return 1;
  }
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
  auto log = spdlog::stderr_logger_mt("somafit");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ level=%l %v",
                   spdlog::pattern_time_type::utc);
  log->set_level(spdlog::level::from_str(options.log_level));
  spdlog::set_default_logger(log);
  if (const char* faults = std::getenv("SOMAFIT_FAULTS")) {
    if (const absl::Status armed = ArmFaults(faults); !armed.ok()) {
      std::fprintf(stderr, "somafit-trainer: SOMAFIT_FAULTS: %s\n",
                   std::string(armed.message()).c_str());
      return 2;
    }
  }
  SetInferenceThreads(1);
  WarnOfSlowBlas();

  TrainerOptions trainer_options;
  TrainerIdentity& identity = trainer_options.identity;
  identity.host = HostName();
  identity.name = options.name.empty()
                      ? identity.host + "-" + std::to_string(::getpid())
                      : options.name;
  identity.version = SOMAFIT_VERSION;
  const unsigned cores = std::thread::hardware_concurrency();
  trainer_options.threads = options.threads > 0
                                ? options.threads
                                : static_cast<int>(cores > 0 ? cores : 1);
  trainer_options.idle_exit_s = options.idle_exit_s;
  trainer_options.allow_scripts = options.allow_scripts;
  Trainer trainer(std::move(trainer_options), [path = options.endpoint] {
    return ConnectTrainerByEndpointFile(path);
  });
  std::thread([&trainer] {
    spdlog::info("event=stopping signal={}", NextSignal());
    trainer.Stop();
    NextSignal();  // the second one means now
    ::_exit(130);
  }).detach();
  const absl::Status status = trainer.Run();
  if (!status.ok()) {
    std::fprintf(stderr, "somafit-trainer: %s\n",
                 std::string(status.message()).c_str());
  } else {
    spdlog::info("event=stopped");
  }
  // The thread that waits for signals still refers to the trainer, and
  // LibTorch's own threads have no order in which to end.
  std::fflush(nullptr);
  ::_exit(status.ok() ? 0 : 1);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
