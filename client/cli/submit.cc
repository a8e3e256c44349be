#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/load.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct SubmitOptions {
  ServerOptions server;
  SpecOptions spec;
  bool validate = false;
};

absl::StatusOr<int> Submit(const SubmitOptions& options) {
  // The file first: its mistakes need no server.
  SOMAFIT_ASSIGN_OR_RETURN(v1::FitSpec spec, ReadSpec(options.spec));
  const std::string folder = FolderOf(options.spec.file);
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_RETURN_IF_ERROR(StoreData(folder, &client, &spec));
  SOMAFIT_RETURN_IF_ERROR(StoreScript(folder, &client, &spec));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit,
                           client.CreateFit(spec, options.validate));
  std::cerr << fit.warnings();
  if (options.validate) {
    std::cerr << "The fit is valid; nothing was started.\n";
  }
  SOMAFIT_RETURN_IF_ERROR(Print(absl::StrCat(fit.name(), "\n")));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return kSuccess;
}

}  // namespace

void AddSubmit(CLI::App& app, Action* action) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* command = app.add_subcommand(
      "submit", "Starts a fit, or an inference, and prints its name");
  AddSpecOptions(command, &options->spec);
  command->add_flag("--validate", options->validate,
                    "Only check: print the name it would have");
  AddServerOptions(command, &options->server);
  command->footer(R"(
Examples:
  somafit submit client/examples/hodgkin_huxley/fit.yaml
  somafit submit fit.yaml --name cell7 --seed 3 --set stop.rounds=20
  somafit submit client/examples/hodgkin_huxley/inference.yaml
  somafit submit fit.yaml --set parameters.gl.bounds="[1*nS, 2*nS]" --validate)");
  command->callback([=] { *action = [=] { return Submit(*options); }; });
}

}  // namespace somafit
