#pragma once

#include <memory>
#include <string>

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include "worker/core/ir/program.h"
#include "worker/jit/kernel.h"

namespace somafit::jit {

inline constexpr char kStartName[] = "somafit_start";
inline constexpr char kRunName[] = "somafit_run";

// Two functions:
//   void somafit_start(const double* parameters, double* states,
//                      const double* noise)
//   void somafit_run(const KernelCall* call)
// with the meaning of Kernel::Start and Kernel::Run. Values that do not change
// from step to step are computed before the loop over steps (loops.h). The
// loop's instructions are put in order (interleave.h); what depends on far
// arguments of late exprels is done again at a step's end (late_exprel.h). Code
// is for the instruction set `cpu`, as LLVM spells it, and scheduled for
// `tune_cpu`.
struct KernelModule {
  std::unique_ptr<llvm::Module> module;
  bool is_pipelined = false;
};
KernelModule EmitKernel(const Program& program, const KernelOptions& options,
                        const std::string& cpu, const std::string& tune_cpu,
                        llvm::LLVMContext& context);

}  // namespace somafit::jit
