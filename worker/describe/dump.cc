#include "worker/describe/dump.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "worker/describe/program_text.h"

namespace somafit {

const std::vector<std::string>& DumpNames() {
  static const auto* const names =
      new std::vector<std::string>{"ast", "program", "passes", "ir", "asm"};
  return *names;
}

std::optional<Dump> ReadDump(std::string_view name) {
  const std::vector<std::string>& names = DumpNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Dump>(found - names.begin());
}

absl::StatusOr<std::string> DumpText(const ExperimentOutline& outline,
                                     Dump dump, const KernelOptions& kernel,
                                     Diagnostics& warnings) {
  std::string passes;
  ProgramObserver observer;
  if (dump == Dump::kPasses) {
    observer = [&passes](std::string_view stage, const Program& program) {
      absl::StrAppend(&passes, passes.empty() ? "" : "\n", "=====> ",
                      std::string(stage), ", ", program.values.size(),
                      " values\n", PrintProgram(program));
    };
  }
  const std::optional<CompiledOutline> compiled =
      CompileOutline(outline, warnings, observer);
  if (!compiled) return warnings.ToStatus();
  switch (dump) {
    case Dump::kAst:
      return PrintModel(compiled->model);
    case Dump::kProgram:
      return absl::StrCat("# ", compiled->method, "\n",
                          ProgramCounts(compiled->program),
                          PrintProgram(compiled->program));
    case Dump::kPasses:
      return passes;
    case Dump::kIr:
      return DumpKernel(compiled->program, kernel, KernelText::kIr);
    case Dump::kAssembly:
      return DumpKernel(compiled->program, kernel, KernelText::kAssembly);
  }
  return absl::InternalError("there is no such dump");
}

}  // namespace somafit
