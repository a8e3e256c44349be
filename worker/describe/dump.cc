#include "worker/describe/dump.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"
#include "worker/core/ir/solver_parts.h"
#include "worker/describe/program_text.h"

namespace somafit {
namespace {

// The kernel of a program, or those of its parts around a solver.
absl::StatusOr<std::string> KernelsText(const Program& program,
                                        const KernelOptions& kernel,
                                        KernelText what) {
  if (!program.integration) return DumpKernel(program, kernel, what);
  const SolverParts parts = TakeApart(program);
  KernelOptions before = kernel, side = kernel;
  before.variant = side.variant = KernelVariant::kRecord;
  // As worker/sim has them.
  side.isa = Isa::kAvx2;
  side.width = 4;
  const std::tuple<const char*, const Program*, const KernelOptions*> all[] = {
      {"before integration", &parts.before, &before},
      {"right-hand side", &parts.slopes, &side},
      {"Jacobian", &parts.jacobian, &side},
      {"after integration", &parts.after, &kernel}};
  std::string text;
  for (const auto& [name, part, options] : all) {
    if (part->outputs.empty() && part != &parts.after) continue;
    SOMAFIT_ASSIGN_OR_RETURN(const std::string one,
                             DumpKernel(*part, *options, what));
    absl::StrAppend(&text, what == KernelText::kIr ? "; " : "# ", name, "\n",
                    one);
  }
  return text;
}

}  // namespace

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
      return KernelsText(compiled->program, kernel, KernelText::kIr);
    case Dump::kAssembly:
      return KernelsText(compiled->program, kernel, KernelText::kAssembly);
  }
  return absl::InternalError("there is no such dump");
}

}  // namespace somafit
