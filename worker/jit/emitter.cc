#include "worker/jit/emitter.h"

#include <optional>
#include <utility>
#include <vector>

#include "worker/jit/kernel_code.h"
#include "worker/jit/loops.h"
#include "worker/jit/stages.h"

namespace somafit::jit {
namespace {

void EmitStart(KernelCode& code) {
  llvm::Type* const pointer = code.builder.getPtrTy();
  llvm::Function* const function =
      code.Begin(kStartName, {pointer, pointer, pointer});
  const std::vector<ValueId>& initial = code.program.initial;
  const std::vector<bool> needed = code.Needed(initial);
  for (size_t p = 0; p < code.n_parts; ++p) {
    LlvmValues values;
    code.EmitInvariants(needed, function->getArg(0), p, values,
                        code.Place(function->getArg(2), 0, p));
    for (size_t i = 0; i < initial.size(); ++i) {
      code.Store(values[initial[i]], code.Place(function->getArg(1), i, p));
    }
  }
  code.builder.CreateRetVoid();
}

// The values of a pipeline's front stage, where one pays.
std::optional<std::vector<bool>> FrontOf(const KernelCode& code) {
  // Measured with AVX2, whose 16 registers hold neither: side by side is
  // faster.
  if (code.in.isa != Isa::kAvx512 || code.n_parts != 2) return std::nullopt;
  return FrontStage(code.program, code.Needed(code.Results()));
}

}  // namespace

KernelModule EmitKernel(const Program& program, const KernelOptions& options,
                        const std::string& cpu, const std::string& tune_cpu,
                        llvm::LLVMContext& context) {
  KernelCode code(program, options, cpu, tune_cpu, context);
  EmitStart(code);
  const auto front = FrontOf(code);
  llvm::Function* const run = code.Begin(kRunName, {code.builder.getPtrTy()});
  const CallCode call = code.LoadCall(run->getArg(0));
  if (front) {
    EmitPipeline(code, call, *front);
  } else {
    EmitSideBySide(code, call);
  }
  return {std::move(code.module), front.has_value()};
}

}  // namespace somafit::jit
