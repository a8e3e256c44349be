#include "worker/describe/commands.h"

#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "proto/convert/experiment_outline.h"
#include "worker/core/base/status.h"
#include "worker/describe/check_text.h"
#include "worker/describe/dump.h"

namespace somafit {
namespace {

// Exit statuses.
constexpr int kMistakes = 1;
constexpr int kNoOutline = 2;

void Complain(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

absl::StatusOr<ExperimentOutline> ReadOutline() {
  if (isatty(STDIN_FILENO) == 1) {
    return absl::InvalidArgumentError(
        "an experiment's outline is expected on stdin; give the fit's file to "
        "the program somafit instead, like: somafit check fit.yaml");
  }
  std::string json;
  char piece[1 << 16];
  // A little more than may be, so that too much is told from just enough.
  while (json.size() <= kMaxOutlineBytes) {
    const size_t n = std::fread(piece, 1, sizeof piece, stdin);
    if (n == 0) break;
    json.append(piece, n);
  }
  if (std::ferror(stdin) != 0) {
    return absl::InvalidArgumentError("cannot read stdin");
  }
  if (json.empty()) {
    return absl::InvalidArgumentError(
        "stdin is empty; an experiment's outline is expected");
  }
  return DecodeOutline(json);
}

absl::StatusOr<std::string> CheckedText(const ExperimentOutline& outline) {
  Diagnostics found;
  const std::optional<CompiledOutline> compiled =
      CompileOutline(outline, found);
  if (!compiled) return found.ToStatus();
  return CheckText(*compiled, found);
}

absl::StatusOr<std::string> DumpedText(const ExperimentOutline& outline,
                                       const std::string& dump,
                                       const KernelOptions& kernel) {
  Diagnostics warnings;
  SOMAFIT_ASSIGN_OR_RETURN(
      std::string text, DumpText(outline, *ReadDump(dump), kernel, warnings));
  Complain(warnings.Render());
  return text;
}

// Reads stdin, prints what `describe` makes of it.
template <typename Describe>
int Run(Describe&& describe) {
  const absl::StatusOr<ExperimentOutline> outline = ReadOutline();
  if (!outline.ok()) {
    Complain(absl::StrCat(
        "somafit-worker: ", std::string(outline.status().message()), "\n"));
    return kNoOutline;
  }
  absl::StatusOr<std::string> text;
  const absl::Status status = CatchAsStatus("somafit-worker", [&] {
    text = describe(*outline);
    return text.status();
  });
  if (!status.ok()) {
    std::string message(status.message());
    if (message.empty() || message.back() != '\n') message += '\n';
    Complain(message);
    return kMistakes;
  }
  if (std::fwrite(text->data(), 1, text->size(), stdout) != text->size() ||
      std::fflush(stdout) != 0) {
    Complain(
        "somafit-worker: cannot write the output; is the disk full, or the "
        "pipe closed?\n");
    return kMistakes;
  }
  return 0;
}

}  // namespace

void AddDescribeCommands(CLI::App& app, DescribeAction* action) {
  CLI::App* check = app.add_subcommand(
      "check", "Explains the experiment whose outline is on stdin");
  check->footer(R"(
It is the part of `somafit check FILE` that has the compiler; outline.json is an
ExperimentOutline of proto/somafit/v1 as JSON.

Examples:
  somafit check client/examples/hodgkin_huxley/fit.yaml
  somafit-worker check < outline.json)");
  check->callback([=] { *action = [] { return Run(CheckedText); }; });

  struct CompileOptions {
    std::string dump = "program";
    std::string isa = std::string(IsaName(BestIsa()));
    KernelOptions kernel;
  };
  auto options = std::make_shared<CompileOptions>();
  CLI::App* compile = app.add_subcommand(
      "compile", "Prints a stage of the compilation of the outline on stdin");
  compile->add_option("--dump", options->dump, "Which stage")
      ->capture_default_str()
      ->check(CLI::IsMember(DumpNames()));
  compile->add_option("--isa", options->isa, "Of the kernel, for ir and asm")
      ->capture_default_str()
      ->check(CLI::IsMember({"avx2", "avx512"}));
  compile
      ->add_option("--width", options->kernel.width,
                   "Lanes of a block, for ir and asm (default: two vectors)")
      ->check(CLI::IsMember({4, 8, 16, 32}));
  compile->footer(R"(
  ast      the model as it was understood, one definition a line
  program  the operations that are simulated, and how many there are
  passes   the program after each stage of compilation
  ir       LLVM's intermediate representation of the native kernel
  asm      its assembly

Examples:
  somafit compile client/examples/hodgkin_huxley/fit.yaml --dump passes
  somafit-worker compile --dump ast < outline.json)");
  compile->callback([=] {
    *action = [=] {
      options->kernel.isa =
          options->isa == "avx512" ? Isa::kAvx512 : Isa::kAvx2;
      return Run([=](const ExperimentOutline& outline) {
        return DumpedText(outline, options->dump, options->kernel);
      });
    };
  });
}

}  // namespace somafit
