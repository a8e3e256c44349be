#include <limits>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct ResultsOptions {
  ServerOptions server;
  std::string name;
  std::string stage;
  SampleOptions samples;
};

absl::StatusOr<int> Results(const ResultsOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  std::optional<int32_t> stage;
  if (!options.stage.empty() && options.stage != "all") {
    int32_t number = 0;
    if (!absl::SimpleAtoi(options.stage, &number) || number < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--stage \"", options.stage,
                       "\" is neither a number from 0 nor \"all\""));
    }
    stage = number;
  }
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.samples.output));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client.GetFit(name));
  if (options.stage.empty()) stage = fit.stage();
  SOMAFIT_RETURN_IF_ERROR(WriteSamples(&client, fit, stage, options.samples));
  return kSuccess;
}

}  // namespace

void AddResults(CLI::App& app, Action* action) {
  auto options = std::make_shared<ResultsOptions>();
  options->samples.format = "table";
  CLI::App* command = app.add_subcommand(
      "results", "Prints every sample of a fit with its errors");
  AddFitName(command, &options->name);
  AddSampleOptions(command, &options->samples);
  command
      ->add_option("--stage", options->stage,
                   "A stage's number, or \"all\"; default: the one that "
                   "optimizes")
      ->type_name("N|all");
  AddServerOptions(command, &options->server);
  command->footer(R"(
csv: sample,stage,round,status,<parameters>,total_error,<output>_error, in SI;
an empty field is a number that is not there.

Examples:
  somafit results hodgkin_huxley-1
  somafit results hodgkin_huxley-1 --format csv -o samples.csv)");
  command->callback([=] { *action = [=] { return Results(*options); }; });
}

}  // namespace somafit
