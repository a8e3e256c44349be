#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"
#include "client/cli/worker_command.h"
#include "client/lib/outline.h"
#include "client/lib/yaml_spec.h"
#include "proto/convert/experiment_outline.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct InspectOptions {
  std::string file;
  std::vector<std::string> sets;
  std::string dump = "program";
  std::string isa, width;  // empty: as the worker chooses
};

void AddFileOptions(CLI::App* command, InspectOptions* options) {
  command->add_option("file", options->file, "The fit as YAML, as for run")
      ->required()
      ->type_name("FILE.yaml");
  command
      ->add_option("--set", options->sets,
                   "Replaces a value of the file: --set dt=0.1*ms "
                   "(repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

// The worker has the compiler; it says all that is to be said.
absl::StatusOr<int> Inspect(const InspectOptions& options,
                            const std::vector<std::string>& arguments) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::FitSpec spec,
                           ReadFitSpec(options.file, options.sets));
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::string outline,
      EncodeOutline(OutlineOf(spec, FolderOf(options.file))));
  return RunWorkerCommand(arguments, outline);
}

}  // namespace

void AddInspect(CLI::App& app, Action* action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* check = app.add_subcommand(
      "check", "Explains a fit's model: units, constants, method, mistakes");
  AddFileOptions(check, options.get());
  check->footer(R"(
Needs no server: runs somafit-worker, found beside this program. Recordings are
read for their shape only, and may be missing.

Exit status: 0 the model is right; 1 it has mistakes; 2 a mistake in the command
line, or in the file as YAML; 4 there is no such file.

Examples:
  somafit check client/examples/hodgkin_huxley/fit.yaml
  somafit check fit.yaml --set dt=0.05*ms)");
  check->callback(
      [=] { *action = [=] { return Inspect(*options, {"check"}); }; });

  CLI::App* compile = app.add_subcommand(
      "compile",
      "Shows what is simulated for a fit, at a stage of compilation");
  AddFileOptions(compile, options.get());
  compile->add_option("--dump", options->dump, "Which stage")
      ->type_name("ast|program|passes|ir|asm")
      ->capture_default_str()
      ->check(CLI::IsMember({"ast", "program", "passes", "ir", "asm"}));
  compile->add_option("--isa", options->isa, "Instruction set, for ir and asm")
      ->type_name("avx2|avx512")
      ->check(CLI::IsMember({"avx2", "avx512"}));
  compile
      ->add_option("--width", options->width,
                   "Lanes of a block, for ir and asm")
      ->type_name("4|8|16|32")
      ->check(CLI::IsMember({"4", "8", "16", "32"}));
  compile->footer(R"(
  ast      the model as it was understood, one definition a line
  program  the operations that are simulated, and how many there are
  passes   the program after each stage of compilation
  ir       LLVM's intermediate representation of the native kernel
  asm      its assembly

Needs no server: runs somafit-worker, found beside this program. Exit status: as
for check.

Examples:
  somafit compile client/examples/hodgkin_huxley/fit.yaml
  somafit compile fit.yaml --dump passes)");
  compile->callback([=] {
    *action = [=] {
      std::vector<std::string> arguments = {"compile", "--dump", options->dump};
      if (!options->isa.empty()) {
        arguments.insert(arguments.end(), {"--isa", options->isa});
      }
      if (!options->width.empty()) {
        arguments.insert(arguments.end(), {"--width", options->width});
      }
      return Inspect(*options, arguments);
    };
  });
}

}  // namespace somafit
