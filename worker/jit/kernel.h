#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "worker/core/ir/program.h"

namespace somafit {

// Instruction sets that kernels are made for. All programs need kAvx2 with FMA.
enum class Isa : uint8_t { kAvx2, kAvx512 };
std::string_view IsaName(Isa isa);  // "avx2"
// The widest that this processor has.
Isa BestIsa();
bool Supports(Isa isa);

enum class KernelVariant : uint8_t {
  kErrors,       // adds up weighted squared differences from targets
  kPlainErrors,  // the same where all weights are 1: it looks at none
  kRecord,       // writes down every output of every step
};

struct KernelOptions {
  KernelVariant variant = KernelVariant::kErrors;
  Isa isa = BestIsa();
  int width = 0;          // lanes of a block: 4, 8, 16 or 32; 0: two vectors
  bool optimize = false;  // LLVM's O2 passes: no bit changes, seldom faster
};

// Steps begin .. end-1 of one trace for a block of `width` lanes.
struct KernelCall {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t n_steps = 0;                    // of the whole trace
  const double* parameters = nullptr;     // [parameter][lane], SI
  double* states = nullptr;               // [state][lane], at `begin`; updated
  const double* const* inputs = nullptr;  // [input][step of the trace]
  // Of errors, per output: sum = fma(w d, d, sum) with d = output - target, in
  // the steps whose weight w is not 0.
  const double* const* targets = nullptr;  // [output][step of the trace]
  const double* const* weights = nullptr;  // [output][step of the trace]
  double* sums = nullptr;                  // [output][lane], updated
  // kRecord:
  double* record = nullptr;       // [step - begin][output][lane]
  const double* noise = nullptr;  // [step - begin][Program::noises][lane]
  const double* const* arrays = nullptr;  // Program::arrays
};

// A Program, ready to run. Agrees with the Interpreter to the bit (a NaN is a
// NaN) whatever the options. Immutable; thread-safe.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual int width() const = 0;
  // `states[state][lane]`: the initial values. `noise` is for them,
  // [Program::noises][lane]; null where they need none.
  virtual void Start(const double* parameters, double* states,
                     const double* noise = nullptr) const = 0;
  virtual void Run(const KernelCall& call) const = 0;
};

// Whether native code for `program` with blocks of `width` lanes compiles in a
// few seconds. What LLVM takes grows faster than the program; the interpreter
// has no such limit and the same bits.
bool FitsNativeCode(const Program& program, int width = 8);

// Lanes of a block with which `n_points` points are simulated fastest.
int BestWidth(const Program& program, Isa isa, size_t n_points);

// Native code. FailedPrecondition: it does not fit. InvalidArgument: a width
// that there is not, an instruction set that this processor lacks. Internal:
// the compiler failed.
absl::StatusOr<std::shared_ptr<const Kernel>> CompileKernel(
    const Program& program, const KernelOptions& options);

// The same by the interpreter, slowly.
std::shared_ptr<const Kernel> MakeReferenceKernel(const Program& program,
                                                  const KernelOptions& options);

// A kernel of the same content that was compiled before, or a new one. Keeps
// the latest. Thread-safe.
absl::StatusOr<std::shared_ptr<const Kernel>> CachedKernel(
    const Program& program, const KernelOptions& options);

// The kernel's LLVM IR or its assembly, as text.
enum class KernelText : uint8_t { kIr, kAssembly };
absl::StatusOr<std::string> DumpKernel(const Program& program,
                                       const KernelOptions& options,
                                       KernelText what);

}  // namespace somafit
