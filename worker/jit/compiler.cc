#include <algorithm>
#include <mutex>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/RegAllocRegistry.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>

#include "worker/core/base/status.h"
#include "worker/jit/emitter.h"
#include "worker/jit/kernel.h"
#include "worker/jit/library.h"

namespace somafit {
namespace {

namespace orc = llvm::orc;

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";

// What both instruction sets are called by LLVM. Code is scheduled for the
// processor that is there; that changes no number.
const char* CpuOf(Isa isa) {
  return isa == Isa::kAvx512 ? "x86-64-v4" : "x86-64-v3";
}

absl::Status Failed(const std::string& what, llvm::Error error) {
  return absl::InternalError(
      absl::StrCat(what, ": ", llvm::toString(std::move(error))));
}

absl::StatusOr<KernelOptions> Resolve(KernelOptions options) {
  if (!Supports(options.isa)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "this processor has no ", std::string(IsaName(options.isa)),
        "; leave the instruction set out"));
  }
  if (options.width == 0) {
    options.width = options.isa == Isa::kAvx512 ? 16 : 8;
  }
  if (options.width != 4 && options.width != 8 && options.width != 16 &&
      options.width != 32) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a block of ", options.width, " lanes; a kernel has 4, 8, 16 or 32"));
  }
  return options;
}

void InitializeOnce() {
  static const bool done = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    // A step is one long stretch of code with hardly anything common, invariant
    // or induced left in it: looking for that is a fifth of the time to
    // compile, and what is found only lengthens lives of registers.
    std::vector<const char*> arguments = {
        "somafit-worker",       "-disable-machine-licm",
        "-disable-machine-cse", "-disable-early-taildup",
        "-disable-cgp",         "-disable-lsr",
        "-disable-machine-sink"};
    if (BestIsa() == Isa::kAvx512) {
      // Instructions come in a good order (interleave.h). LLVM's scheduler puts
      // chains one behind the other to save registers, of which there are 32
      // here: measured a quarter slower. With the 16 of AVX2 it is right.
      arguments.push_back("-enable-misched=false");
    }
    // With a stream for complaints it does not end the program.
    llvm::cl::ParseCommandLineOptions(static_cast<int>(arguments.size()),
                                      arguments.data(), "", &llvm::nulls());
    return true;
  }();
  (void)done;
}

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> MakeTarget(Isa isa) {
  std::string error;
  const llvm::Target* const target =
      llvm::TargetRegistry::lookupTarget(kTriple, error);
  if (target == nullptr) return absl::InternalError(error);
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      kTriple, CpuOf(isa), "", llvm::TargetOptions(), llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, /*JIT=*/true));
}

absl::Status Optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&machine);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(graphs);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, graphs, modules);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);
  return absl::OkStatus();
}

// One at a time: LLVM has one register allocator for the process.
std::mutex& CompilationMutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

// A pipeline's values live long, and its code was put in order with that in
// mind: there the greedy allocator's search takes longer than all else and
// makes a tenth slower code than the basic one. Elsewhere greedy is a tenth
// faster.
void ChooseRegisterAllocator(bool is_pipelined) {
  using Maker = llvm::FunctionPass* (*)();
  const Maker basic = llvm::createBasicRegisterAllocator;
  const Maker greedy = llvm::createGreedyRegisterAllocator;
  llvm::RegisterRegAlloc::setDefault(is_pipelined ? basic : greedy);
}

// The kernel's module, verified, with O2 if wanted. REQUIRES: CompilationMutex
// held until its code is made.
absl::StatusOr<std::unique_ptr<llvm::Module>> Build(
    const Program& program, const KernelOptions& options,
    llvm::TargetMachine& machine, llvm::LLVMContext& context) {
  SOMAFIT_RETURN_IF_ERROR(VerifyProgram(program));
  if (!FitsNativeCode(program, options.width)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a program of ", program.values.size(),
        " values is too large for native code; it is interpreted"));
  }
  auto [module, is_pipelined] =
      jit::EmitKernel(program, options, CpuOf(options.isa),
                      llvm::sys::getHostCPUName().str(), context);
  ChooseRegisterAllocator(is_pipelined);
  module->setDataLayout(machine.createDataLayout());
  module->setTargetTriple(kTriple);
  std::string text;
  llvm::raw_string_ostream complaint(text);
  if (llvm::verifyModule(*module, &complaint)) {
    return absl::InternalError(absl::StrCat("the kernel's IR: ", text));
  }
  if (options.optimize) {
    SOMAFIT_RETURN_IF_ERROR(Optimize(*module, machine));
  }
  return std::move(module);
}

// The process's just-in-time compiler; one kernel at a time.
class Compiler {
 public:
  static absl::StatusOr<Compiler*> Get() {
    static absl::StatusOr<Compiler*>* const compiler =
        new absl::StatusOr<Compiler*>(Make());
    return *compiler;
  }

  // The addresses of the start and run functions in a library of their own.
  struct Code {
    orc::JITDylib* library = nullptr;
    void (*start)(const double*, double*, const double*) = nullptr;
    void (*run)(const KernelCall*) = nullptr;
  };
  absl::StatusOr<Code> Compile(const Program& program,
                               const KernelOptions& options) {
    const std::lock_guard lock(CompilationMutex());
    SOMAFIT_ASSIGN_OR_RETURN(const auto machine, MakeTarget(options.isa));
    auto context = std::make_unique<llvm::LLVMContext>();
    SOMAFIT_ASSIGN_OR_RETURN(auto module,
                             Build(program, options, *machine, *context));
    llvm::Expected<orc::JITDylib&> library =
        jit_->createJITDylib(absl::StrCat("kernel", ++count_));
    if (!library) return Failed("kernel library", library.takeError());
    Code code;
    code.library = &*library;
    library->addToLinkOrder(jit_->getMainJITDylib());
    const absl::Status status = Load(
        code, orc::ThreadSafeModule(std::move(module), std::move(context)));
    if (!status.ok()) {
      Remove(code);
      return status;
    }
    return code;
  }

  void Release(const Code& code) {
    const std::lock_guard lock(CompilationMutex());
    Remove(code);
  }

 private:
  static absl::StatusOr<Compiler*> Make() {
    InitializeOnce();
    auto compiler = std::make_unique<Compiler>();
    orc::JITTargetMachineBuilder builder((llvm::Triple(kTriple)));
    // Functions say themselves which instruction set they are for.
    builder.setCPU(CpuOf(Isa::kAvx2));
    // Constants lie near the code, where instructions take them from memory;
    // the default for just-in-time code fills registers with their addresses.
    builder.setRelocationModel(llvm::Reloc::PIC_);
    builder.setCodeModel(llvm::CodeModel::Small);
    builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
    auto made = orc::LLJITBuilder()
                    .setJITTargetMachineBuilder(std::move(builder))
                    .create();
    if (!made) return Failed("just-in-time compiler", made.takeError());
    compiler->jit_ = std::move(*made);
    orc::SymbolMap symbols;
    for (const jit::LibraryFunction& function : jit::LibraryFunctions()) {
      symbols[compiler->jit_->mangleAndIntern(function.name)] = {
          orc::ExecutorAddr::fromPtr(function.address),
          llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
    }
    if (auto error = compiler->jit_->getMainJITDylib().define(
            orc::absoluteSymbols(std::move(symbols)))) {
      return Failed("functions of kernels", std::move(error));
    }
    return compiler.release();
  }

  absl::Status Load(Code& code, orc::ThreadSafeModule module) {
    if (auto error = jit_->addIRModule(*code.library, std::move(module))) {
      return Failed("kernel", std::move(error));
    }
    auto start = jit_->lookup(*code.library, jit::kStartName);
    if (!start) return Failed("kernel", start.takeError());
    auto run = jit_->lookup(*code.library, jit::kRunName);
    if (!run) return Failed("kernel", run.takeError());
    code.start =
        start->toPtr<void (*)(const double*, double*, const double*)>();
    code.run = run->toPtr<void (*)(const KernelCall*)>();
    return absl::OkStatus();
  }

  void Remove(const Code& code) {
    if (auto error =
            jit_->getExecutionSession().removeJITDylib(*code.library)) {
      llvm::consumeError(std::move(error));  // its memory stays
    }
  }

  std::unique_ptr<orc::LLJIT> jit_;
  int64_t count_ = 0;
};

class NativeKernel final : public Kernel {
 public:
  NativeKernel(Compiler& compiler, const Compiler::Code& code, int width)
      : compiler_(compiler), code_(code), width_(width) {}
  ~NativeKernel() override { compiler_.Release(code_); }

  int width() const override { return width_; }
  void Start(const double* parameters, double* states,
             const double* noise) const override {
    code_.start(parameters, states, noise);
  }
  void Run(const KernelCall& call) const override { code_.run(&call); }

 private:
  Compiler& compiler_;
  const Compiler::Code code_;
  const int width_;
};

}  // namespace

namespace {

// Of an operation on a register of lanes, roughly.
size_t VectorInstructions(Op op) {
  switch (op) {
    case Op::kExp:
    case Op::kExpm1:
    case Op::kBernoulli:
      return 30;
    case Op::kExprel:
    case Op::kSinh:
    case Op::kCosh:
    case Op::kTanh:
      return 60;
    default:
      return 1;
  }
}

// The published Hodgkin-Huxley model has 500.
size_t VectorInstructions(const Program& program) {
  // What is stored takes some too.
  size_t instructions = program.next.size() + program.observed.size();
  for (const Value& value : program.values) {
    instructions += VectorInstructions(value.op);
  }
  return instructions;
}

// Whether it takes longer than an exponential, branches, or calls a function,
// over which no register keeps its number.
bool IsApart(Op op) {
  return (op > Op::kExp && op <= Op::kLog1p) || op == Op::kPower ||
         op == Op::kPoisson;
}

// Whether a step is little more than one chain of operations: at most one
// exponential and few others.
bool IsShort(const Program& program) {
  constexpr size_t kMost = 60;
  const std::vector<Rate> rates = Rates(program);
  size_t instructions = 0;
  for (size_t id = 0; id < rates.size(); ++id) {
    if (rates[id] != Rate::kPerStep) continue;
    if (IsApart(program.values[id].op)) return false;
    instructions += VectorInstructions(program.values[id].op);
  }
  return instructions <= kMost;
}

}  // namespace

bool FitsNativeCode(const Program& program, int width) {
  // These take some 2 seconds.
  return VectorInstructions(program) <= (width > 8 ? 5'000 : 20'000);
}

int BestWidth(const Program& program, Isa isa, size_t n_points) {
  constexpr size_t kOneRegister = 8;
  if (isa != Isa::kAvx512 || n_points <= kOneRegister ||
      !FitsNativeCode(program, 16)) {
    return 8;
  }
  // 16 lanes are two registers, whose chains of operations lie side by side.
  // Of short ones there is room for four. Fewer points are better spread over
  // threads.
  constexpr size_t kMany = 128;
  return n_points >= kMany && IsShort(program) ? 32 : 16;
}

std::string_view IsaName(Isa isa) {
  return isa == Isa::kAvx512 ? "avx512" : "avx2";
}

bool Supports(Isa isa) {
  if (isa == Isa::kAvx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
  return Supports(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd");
}

Isa BestIsa() {
  static const Isa best = Supports(Isa::kAvx512) ? Isa::kAvx512 : Isa::kAvx2;
  return best;
}

absl::StatusOr<std::shared_ptr<const Kernel>> CompileKernel(
    const Program& program, const KernelOptions& options) {
  SOMAFIT_ASSIGN_OR_RETURN(const KernelOptions resolved, Resolve(options));
  SOMAFIT_ASSIGN_OR_RETURN(Compiler* const compiler, Compiler::Get());
  SOMAFIT_ASSIGN_OR_RETURN(const Compiler::Code code,
                           compiler->Compile(program, resolved));
  return std::make_shared<NativeKernel>(*compiler, code, resolved.width);
}

absl::StatusOr<std::string> DumpKernel(const Program& program,
                                       const KernelOptions& options,
                                       KernelText what) {
  SOMAFIT_ASSIGN_OR_RETURN(const KernelOptions resolved, Resolve(options));
  const std::lock_guard lock(CompilationMutex());
  InitializeOnce();
  SOMAFIT_ASSIGN_OR_RETURN(const auto machine, MakeTarget(resolved.isa));
  llvm::LLVMContext context;
  SOMAFIT_ASSIGN_OR_RETURN(const auto module,
                           Build(program, resolved, *machine, context));
  if (what == KernelText::kIr) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream, nullptr);
    return stream.str();
  }
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile)) {
    return absl::InternalError("LLVM cannot write assembly here");
  }
  passes.run(*module);
  return text.str().str();
}

}  // namespace somafit
