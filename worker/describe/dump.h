#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "worker/describe/compile_outline.h"
#include "worker/jit/kernel.h"

namespace somafit {

// A stage of compilation as text.
enum class Dump {
  kAst,      // the model, one definition a line
  kProgram,  // what is simulated, under a table that counts it
  kPasses,   // the program after each stage
  kIr,       // the native kernel's LLVM IR
  kAssembly,
};
// "ast", "program", "passes", "ir", "asm"; nullopt for others.
std::optional<Dump> ReadDump(std::string_view name);
const std::vector<std::string>& DumpNames();

// InvalidArgument with all mistakes of the outline, as people read them.
// `kernel` is for kIr and kAssembly. `warnings` are those of an outline that
// has no mistake.
absl::StatusOr<std::string> DumpText(const ExperimentOutline& outline,
                                     Dump dump, const KernelOptions& kernel,
                                     Diagnostics& warnings);

}  // namespace somafit
