#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/yaml_spec.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct ContinueOptions {
  ServerOptions server;
  std::string name;
  std::string file;
  std::vector<std::string> sets;
  int64_t rounds = -1;
  int64_t evaluations = -1;
  std::string target, time;
  std::optional<int64_t> start_iteration;
  bool restart = false;
};

// What the file says of the search; its model and data are the fit's.
absl::Status AddFile(const ContinueOptions& options,
                     v1::ContinueFitRequest* request) {
  if (options.file.empty()) {
    if (options.sets.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "--set changes what a file says; give one with --file");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const v1::FitSpec spec,
                           ReadFitSpec(options.file, options.sets));
  *request->mutable_parameters() = spec.parameters();
  *request->mutable_metrics() = spec.metrics();
  if (spec.has_optimizer()) *request->mutable_optimizer() = spec.optimizer();
  request->set_n_samples(spec.n_samples());
  request->set_penalty(spec.penalty());
  if (spec.has_gate()) *request->mutable_gate() = spec.gate();
  if (spec.has_inference()) *request->mutable_inference() = spec.inference();
  if (spec.start_iteration() != 0) {
    request->set_start_iteration(spec.start_iteration());
  }
  *request->mutable_stop() = spec.stop();
  return absl::OkStatus();
}

absl::StatusOr<int> Continue(const ContinueOptions& options) {
  v1::ContinueFitRequest request;
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_RETURN_IF_ERROR(AddFile(options, &request));
  request.set_name(name);
  request.set_restart(options.restart);
  v1::StopSpec* stop = request.mutable_stop();
  if (options.rounds >= 0) stop->set_rounds(options.rounds);
  if (options.evaluations >= 0) stop->set_evaluations(options.evaluations);
  if (!options.target.empty()) stop->set_target(options.target);
  if (!options.time.empty()) stop->set_time(options.time);
  if (options.start_iteration) {
    request.set_start_iteration(*options.start_iteration);
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit before, client.GetFit(name));
  // An inference has one round more where nothing else is said.
  if (!before.spec().has_inference() && !stop->has_rounds() &&
      !stop->has_evaluations() && stop->target().empty() &&
      stop->time().empty()) {
    return absl::InvalidArgumentError(
        "say how far to go: --rounds, --evaluations, --target or --time");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.ContinueFit(request));
  WarnWithoutWorkers(&client, client.connection().known().path);
  SOMAFIT_RETURN_IF_ERROR(Print(absl::StrCat(fit.name(), "\n")));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return kSuccess;
}

}  // namespace

void AddContinue(CLI::App& app, Action* action) {
  auto options = std::make_shared<ContinueOptions>();
  CLI::App* command = app.add_subcommand("continue",
                                         "Goes on with a fit or inference that "
                                         "has ended or is paused, or restarts "
                                         "it");
  AddFitName(command, &options->name);
  command->add_option("--rounds", options->rounds, "So many more")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--evaluations", options->evaluations,
                   "So many samples more")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--target", options->target,
                   "Until the total error is no larger")
      ->type_name("QUANTITY");
  command->add_option("--time", options->time, "So much running time more")
      ->type_name("QUANTITY");
  command->add_flag("--restart", options->restart,
                    "A new stage: the optimizer begins anew, and may have "
                    "other bounds, metrics and options");
  command
      ->add_option("--file", options->file,
                   "Parameters, metrics, optimizer, n_samples, penalty and "
                   "stop of this file; without --restart only stop may "
                   "differ from the fit's")
      ->type_name("FILE.yaml");
  command
      ->add_option("--set", options->sets,
                   "Replaces a value of the file (repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("--start-iteration", options->start_iteration,
                   "What the model calls `iteration` in the next round")
      ->type_name("N");
  AddServerOptions(command, &options->server);
  command->footer(R"(
Without --restart optimizer, bounds and metrics are those of the fit, and rounds
count on; with it they begin anew, as a stage of its own. All samples stay. The
further rounds of an inference are drawn where its posterior is, with n_samples
and inference.training of --file where those are given; a restarted one begins
with its prior again, and may have another algorithm, estimator or observation.

Examples:
  somafit continue hodgkin_huxley-1 --rounds 20
  somafit continue hodgkin_huxley-1 --restart --file narrower.yaml
  somafit continue inference-1 --rounds 2
  somafit continue hodgkin_huxley-1 --rounds 5 && somafit watch hodgkin_huxley-1)");
  command->callback([=] { *action = [=] { return Continue(*options); }; });
}

}  // namespace somafit
