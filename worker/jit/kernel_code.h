#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include "worker/core/ir/program.h"
#include "worker/jit/kernel.h"
#include "worker/jit/lanes.h"

namespace somafit::jit {

using LlvmValues = std::vector<llvm::Value*>;

// What a KernelCall holds.
struct CallCode {
  llvm::Value *begin, *end, *n_steps, *parameters, *states, *sums, *record,
      *noise;
  LlvmValues inputs, targets, weights;  // signals
};

// As many of the block's lanes as a register holds, on their way through a step
// or a stage of one. Parts do not wait for one another, and the processor
// overlaps them.
struct Part {
  LlvmValues values;  // per value of the program; null where not (yet) there
  std::vector<bool> own;  // which of them are computed here, in every step
  llvm::Value* step = nullptr;
  llvm::Value* noise = nullptr;  // of its first lane, in the call's first step
  LlvmValues sums;               // at the step's end
  struct LateExprel {
    ValueId id;
    Lanes x, near;
  };
  std::vector<LateExprel> late_exprels;
};

// The parts of which a kernel's functions are put together, appended where
// `builder` stands.
class KernelCode {
 public:
  KernelCode(const Program& program, const KernelOptions& options,
             const std::string& cpu, const std::string& tune_cpu,
             llvm::LLVMContext& context);

  const Program& program;
  const KernelOptions& options;
  const std::vector<Rate> rates;
  const size_t n_states, n_compared;  // n_compared: outputs with errors
  std::unique_ptr<llvm::Module> module;
  llvm::IRBuilder<> builder;
  const Emission in;     // of a register
  const size_t n_parts;  // registers of a block
  // Of the program's values, see late_exprel.h.
  std::vector<bool> late;

  // A function, and the builder at its beginning.
  llvm::Function* Begin(const char* name,
                        const std::vector<llvm::Type*>& arguments);

  // A part's lanes of element `index` of an array of blocks of lanes.
  llvm::Value* Place(llvm::Value* array, size_t index, size_t part);
  llvm::Value* Load(llvm::Value* place);
  void Store(llvm::Value* lanes, llvm::Value* place);

  CallCode LoadCall(llvm::Value* call);
  llvm::Value* Sample(llvm::Value* signal, llvm::Value* step);

  // What a step is for: next states, and what is observed.
  std::vector<ValueId> Results() const;

  // The next step, or `step` if it is the trace's last.
  llvm::Value* Following(const CallCode& call, llvm::Value* step);

  // Which values `results` depend on.
  std::vector<bool> Needed(const std::vector<ValueId>& results) const;
  // Whether it changes from step to step and is no state.
  bool IsComputed(size_t id) const {
    return rates[id] == Rate::kPerStep && program.values[id].op != Op::kState;
  }

  // Those values needed that do not change from step to step; with `noise`, of
  // the part, also what is made from noise.
  void EmitInvariants(const std::vector<bool>& needed, llvm::Value* parameters,
                      size_t part_number, LlvmValues& values,
                      llvm::Value* noise = nullptr);
  // The part's own values; late exprels as if all arguments were near.
  // REQUIRES: the other values that these take are there.
  void EmitOwn(const CallCode& call, Part& part);
  // sum + w d^2 for output `i`; `sum` where the weight is 0: d may be infinite
  // there.
  llvm::Value* AddUp(const CallCode& call, const Part& part, size_t i,
                     llvm::Value* sum);
  // If a late exprel's argument was far in some lane, does again what depends
  // on such exprels.
  void RedoLate(const std::vector<Part*>& parts);

  // Where the builder stands: a block and its last instruction, if any.
  struct Mark {
    llvm::BasicBlock* block;
    llvm::Instruction* last;
  };
  Mark Here();

 private:
  llvm::Value* Emit(const Value& value, const LlvmValues& values);
  llvm::Value* EmitElement(const Value& value, const Lanes& index);
  // Comparisons, and choices between truth values: 1 and 0 to whoever takes
  // them for numbers, and truths to conditions. nullptr: it is none.
  llvm::Value* EmitTruth(const Value& value, const LlvmValues& values);
  // The truths of a number that was made from some, or a constant; else null.
  llvm::Value* TruthOf(llvm::Value* number) const;

  const std::string cpu_, tune_cpu_;
  std::vector<bool> is_uniform_;  // per value: the same in all lanes
  LlvmValues arrays_;
  std::unordered_map<llvm::Value*, llvm::Value*> truth_of_;
  std::optional<LaneTruth> all_near_;  // the arguments of late exprels
};

}  // namespace somafit::jit
