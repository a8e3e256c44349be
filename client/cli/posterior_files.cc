// Posteriors that leave their coordinator, and come to another one.
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/exit_code.h"
#include "client/lib/posterior_file.h"
#include "client/lib/text_file.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct FileOptions {
  ServerOptions server;
  std::string name, file;
};

absl::StatusOr<int> Save(const FileOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                           FitResourceName(options.name));
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.file));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorFile posterior,
                           SavePosterior(&client, name));
  std::string bytes;
  if (!posterior.SerializeToString(&bytes)) {
    return absl::InternalError("the posterior cannot be written as a message");
  }
  SOMAFIT_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(options.file));
  file.Write(bytes);
  SOMAFIT_RETURN_IF_ERROR(file.Commit());
  return kSuccess;
}

absl::StatusOr<int> Load(const FileOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string bytes,
                           ReadFile(options.file, kMostPosteriorBytes));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::PosteriorFile posterior,
                           ParsePosteriorFile(bytes, options.file));
  SOMAFIT_ASSIGN_OR_RETURN(FitClient client, Connect(options.server));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit,
                           LoadPosterior(&client, posterior, options.name));
  SOMAFIT_RETURN_IF_ERROR(Print(absl::StrCat(fit.name(), "\n")));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return kSuccess;
}

}  // namespace

void AddPosteriorFiles(CLI::App& app, Action* action) {
  auto options = std::make_shared<FileOptions>();
  CLI::App* save = app.add_subcommand(
      "save", "Writes a posterior to a file that any coordinator can load");
  AddFitName(save, &options->name);
  save->add_option("-o,--output", options->file, "The file")
      ->required()
      ->type_name("FILE");
  AddServerOptions(save, &options->server);
  save->footer(R"(
It has the priors, the observation, and the estimators of all rounds; the model
and the simulations stay. Its format is the message PosteriorFile of
proto/somafit/v1/posterior_file.proto.

Example:
  somafit save hh -o hh.posterior)");
  save->callback([=] { *action = [=] { return Save(*options); }; });

  CLI::App* load =
      app.add_subcommand("load", "Takes up a posterior that `save` wrote");
  load->add_option("FILE", options->file, "What `save` wrote")
      ->required()
      ->type_name("FILE");
  load->add_option("--name", options->name,
                   "The name here; default: chosen, like \"posterior-1\"")
      ->type_name("NAME");
  AddServerOptions(load, &options->server);
  load->footer(R"(
Prints the name. It gives the same draws as where it was trained, and goes on, if
asked to, with a simulator of your own.

Examples:
  somafit load hh.posterior --name hh
  somafit sample hh -n 10000 -o draws.csv)");
  load->callback([=] { *action = [=] { return Load(*options); }; });
}

}  // namespace somafit
