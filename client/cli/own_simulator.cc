// The loop of a simulator of the user's own: propose, append, train.
#include "client/lib/own_simulator.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/cli/posterior_query.h"
#include "client/lib/display.h"
#include "client/lib/draws.h"
#include "client/lib/parameter_value.h"
#include "client/lib/posterior.h"
#include "client/lib/watch.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxTableBytes = size_t{256} << 20;

struct OwnOptions {
  ServerOptions server;
  std::string name;
  int64_t n = 1000;
  int64_t first = -1;
  std::string file;
  std::optional<int64_t> round;
  std::string x;
  bool final_round = false;
  bool no_wait = false;
};

struct Found {
  FitClient client;
  v1::Posterior posterior;
};

absl::StatusOr<Found> Find(const OwnOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(v1::Posterior posterior,
                           GetPosterior(&client, name));
  return Found{std::move(client), std::move(posterior)};
}

absl::StatusOr<int> RunPropose(const OwnOptions& options) {
  DrawFormat format = DrawFormat::kCsv;
  const bool to_file = !options.file.empty() && options.file != "-";
  if (to_file) {
    SOMAFIT_ASSIGN_OR_RETURN(format, DrawFormatOf(options.file));
    SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.file));
  }
  SOMAFIT_ASSIGN_OR_RETURN(Found found, Find(options));
  v1::ProposeRequest request;
  request.set_name(found.posterior.name());
  request.set_n(options.n);
  if (options.first >= 0) request.set_first(options.first);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Proposed proposed,
                           Propose(&found.client, request));
  std::cerr << "Round " << proposed.round() << ", draws from number "
            << proposed.first() << " on\n";
  for (const std::string& message : proposed.messages()) {
    std::cerr << "  " << message << '\n';
  }
  const Draws draws{{found.posterior.parameters().begin(),
                     found.posterior.parameters().end()},
                    {proposed.theta().begin(), proposed.theta().end()},
                    {}};
  std::string bytes;
  WriteDraws(draws, format, [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
  });
  SOMAFIT_RETURN_IF_ERROR(WriteWhole(options.file, bytes));
  return kSuccess;
}

absl::StatusOr<int> RunAppend(const OwnOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                           ReadFile(options.file, kMaxTableBytes));
  SOMAFIT_ASSIGN_OR_RETURN(Found found, Find(options));
  SOMAFIT_ASSIGN_OR_RETURN(
      const SimulationTable table,
      ParseSimulations(text, options.file, FitOfPosterior(found.posterior),
                       {found.posterior.features().begin(),
                        found.posterior.features().end()}));
  SOMAFIT_ASSIGN_OR_RETURN(
      const v1::AppendSimulationsResponse appended,
      AppendSimulations(&found.client, found.posterior.name(), options.round,
                        table));
  std::cerr << "Round " << appended.round() << " has " << appended.simulations()
            << " simulations";
  if (appended.invalid() > 0) {
    std::cerr << ", of which " << appended.invalid()
              << " have no number somewhere";
  }
  std::cerr << '\n';
  return kSuccess;
}

// Until the round is trained on, or cannot be.
absl::StatusOr<int> WaitForRound(FitClient* client, const v1::Fit& fit) {
  int status = kFailure;
  Watch watch(client, fit.name(), fit.last_seq());
  SOMAFIT_RETURN_IF_ERROR(watch.Run(
      Watch::Until::kTaken,
      [&](const v1::FitEvent& event) {
        if (event.has_round()) {
          std::cerr << RoundText(fit, event.round()) << std::endl;
          status = kSuccess;
          return false;
        }
        if (event.state().state() == v1::FIT_STATE_RUNNING) return true;
        std::cerr << StateText(event.state().state()) << ": "
                  << event.state().reason() << std::endl;
        return false;
      },
      [](const absl::Status& lost) {
        if (!lost.ok()) {
          std::cerr << "The connection is lost, trying again: "
                    << lost.message() << std::endl;
        }
      }));
  return status;
}

absl::StatusOr<int> RunTrain(const OwnOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  v1::TrainRequest request;
  request.set_name(name);
  request.set_final_round(options.final_round);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, Train(&client, request));
  if (options.no_wait) return kSuccess;
  return WaitForRound(&client, fit);
}

absl::StatusOr<int> RunObserve(const OwnOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(Found found, Find(options));
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::vector<double> x,
      ReadNumbers(options.x, found.posterior.features_size(), "X"));
  SOMAFIT_RETURN_IF_ERROR(
      SetObservation(&found.client, found.posterior.name(), x).status());
  return kSuccess;
}

}  // namespace

void AddOwnSimulator(CLI::App& app, Action* action) {
  auto options = std::make_shared<OwnOptions>();
  CLI::App* propose = app.add_subcommand(
      "propose", "Parameters that a simulator of your own is to simulate");
  AddFitName(propose, &options->name);
  propose->add_option("-n", options->n, "So many sets; default: 1000")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  propose
      ->add_option("--first", options->first,
                   "From this draw on; default: as many as were appended")
      ->type_name("K")
      ->check(CLI::NonNegativeNumber);
  propose->add_option("-o,--output", options->file,
                      "File (.csv, .npy, .npz); default: CSV on stdout");
  AddServerOptions(propose, &options->server);
  propose->footer(R"(
The inference has `simulator` in the place of a model and data:

  name: mine
  parameters: {rate: "[0*Hz, 50*Hz]", width: "[1*ms, 20*ms]"}
  inference: {simulator: {features: [peak, area]}, observation: [0.7, 12]}

Example:
  somafit submit mine.yaml
  somafit propose mine -n 1000 -o theta.csv
  ./simulate theta.csv > simulations.csv   # adds the columns peak and area
  somafit append mine simulations.csv
  somafit train mine
  somafit sample mine -o draws.csv)");
  propose->callback([=] { *action = [=] { return RunPropose(*options); }; });

  CLI::App* append = app.add_subcommand(
      "append", "Stores what a simulator of your own has simulated");
  AddFitName(append, &options->name);
  append
      ->add_option("FILE", options->file,
                   "CSV: a header with every parameter and every column of x, "
                   "one simulation a line; empty where there is no number")
      ->required()
      ->type_name("FILE.csv");
  append
      ->add_option("--round", options->round,
                   "Refuse unless the inference is in this round")
      ->type_name("R")
      ->check(CLI::NonNegativeNumber);
  AddServerOptions(append, &options->server);
  append->footer(R"(
All lines are stored, or none. Parameters are in SI, or in a unit that the header
names: "rate [Hz]".

Example:
  somafit append mine simulations.csv --round 0)");
  append->callback([=] { *action = [=] { return RunAppend(*options); }; });

  CLI::App* train = app.add_subcommand(
      "train", "Has a trainer learn from what was appended, and waits for it");
  AddFitName(train, &options->name);
  train->add_flag("--final", options->final_round,
                  "No round will follow: the inference has succeeded then");
  train->add_flag("--no-wait", options->no_wait, "Return at once");
  AddServerOptions(train, &options->server);
  train->footer(R"(
The next round's parameters are then proposed where the posterior is. Exit status
1: it cannot be trained on; what was appended stays.

Example:
  somafit train mine && somafit propose mine -n 1000 -o theta.csv)");
  train->callback([=] { *action = [=] { return RunTrain(*options); }; });

  CLI::App* observe = app.add_subcommand(
      "observe", "Says what the posterior is conditioned on");
  AddFitName(observe, &options->name);
  observe
      ->add_option("X", options->x,
                   "Numbers in the order of `somafit posterior`, in SI, or a "
                   "file of them")
      ->required()
      ->type_name("FILE|NUMBER,NUMBER,...");
  AddServerOptions(observe, &options->server);
  observe->footer(R"(
Possible until a second round has begun, whose parameters are drawn for it.

Example:
  somafit observe mine 0.7,12)");
  observe->callback([=] { *action = [=] { return RunObserve(*options); }; });
}

}  // namespace somafit
