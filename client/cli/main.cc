#include <csignal>
#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr char kFooter[] = R"(
Without a server:
  somafit run client/examples/hodgkin_huxley/fit.yaml
With one (started with: somafit-server --db fits.db --endpoint fits.endpoint):
  export SOMAFIT_ENDPOINT=fits.endpoint
  somafit submit client/examples/hodgkin_huxley/fit.yaml
  somafit watch hodgkin_huxley-1
  somafit results hodgkin_huxley-1 --format csv -o samples.csv
A posterior in place of the best sample:
  somafit submit client/examples/hodgkin_huxley/inference.yaml
  somafit watch inference-1 && somafit sample inference-1

Exit status: 0 success; 1 failure, or the fit did not succeed; 2 a mistake in
the command line or in a file; 3 no coordinator answers; 4 not found, or not
allowed.)";

// The exit status if the command line says all (help, version, a mistake).
std::optional<int> Parse(CLI::App& app, int argc, char** argv) {
  const int status = [&]() -> int {
    CLI11_PARSE(app, argc, argv);
    // Here, so that a command that does not exist is named by its name.
    if (!app.get_subcommands().empty()) return -1;
    std::cerr << "somafit: a command is missing; see: somafit --help\n";
    return kBadInput;
  }();
  if (status == -1) return std::nullopt;
  return status == 0 ? kSuccess : kBadInput;
}

int Main(int argc, char** argv) {
  // A reader that goes away shows as a write that fails: we end in good order.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Fits models of neurons to recordings.", "somafit");
  app.set_version_flag("--version", "somafit " SOMAFIT_VERSION);
  app.require_subcommand(0, 1);
  app.footer(kFooter);
  Action action;
  AddSubmit(app, &action);
  AddWatch(app, &action);
  AddResults(app, &action);
  AddEvaluate(app, &action);
  AddGenerate(app, &action);
  AddPosterior(app, &action);
  AddPlots(app, &action);
  AddOwnSimulator(app, &action);
  AddLosses(app, &action);
  AddPosteriorFiles(app, &action);
  AddContinue(app, &action);
  AddManage(app, &action);
  AddDescribe(app, &action);
  AddRun(app, &action);
  AddInspect(app, &action);
  if (const std::optional<int> done = Parse(app, argc, argv)) return *done;

  int exit_status = kFailure;
  const absl::Status status = CatchAsStatus("somafit", [&] {
    SOMAFIT_ASSIGN_OR_RETURN(exit_status, action());
    return absl::OkStatus();
  });
  if (status.ok()) return exit_status;
  std::cerr << "somafit: " << status.message();
  if (!status.message().empty() && status.message().back() != '\n') {
    std::cerr << '\n';
  }
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
