#include <llvm/ADT/STLExtras.h>

#include "worker/jit/interleave.h"
#include "worker/jit/late_exprel.h"
#include "worker/jit/loops.h"

namespace somafit::jit {
namespace {

using llvm::BasicBlock;

class SideBySide {
 public:
  SideBySide(KernelCode& code, const CallCode& call)
      : code_(code),
        call_(call),
        builder_(code.builder),
        program_(code.program),
        parts_(code.n_parts) {}

  void Emit() {
    const std::vector<bool> needed = code_.Needed(code_.Results());
    code_.late =
        Late(program_, needed, std::vector<bool>(needed.size(), false));
    EmitFirst(needed);
    std::vector<bool> is_read(code_.n_states, false);
    for (size_t id = 0; id < needed.size(); ++id) {
      const Value& value = program_.values[id];
      if (needed[id] && value.op == Op::kState) is_read[value.index] = true;
    }
    BasicBlock* const entry = builder_.GetInsertBlock();
    llvm::Function* const function = entry->getParent();
    llvm::LLVMContext& context = builder_.getContext();
    BasicBlock* const body = BasicBlock::Create(context, "step", function);
    BasicBlock* const done = BasicBlock::Create(context, "done", function);
    BasicBlock* const nothing =
        BasicBlock::Create(context, "nothing", function);
    builder_.CreateCondBr(builder_.CreateICmpSLT(call_.begin, call_.end), body,
                          nothing);
    builder_.SetInsertPoint(nothing);
    builder_.CreateRetVoid();
    builder_.SetInsertPoint(body);
    auto* const step = builder_.CreatePHI(builder_.getInt64Ty(), 2);
    step->addIncoming(call_.begin, entry);
    for (Lane& lane : parts_) {
      lane.part.step = step;
      for (size_t i = 0; i < lane.first.size(); ++i) {
        lane.carried.push_back(nullptr);
        if (i < code_.n_states && !is_read[i]) continue;
        lane.carried[i] = builder_.CreatePHI(code_.in.number(), 2);
        lane.carried[i]->addIncoming(lane.first[i], entry);
      }
    }
    EmitStep(needed);
    if (code_.options.variant == KernelVariant::kRecord) EmitRecord(step);
    llvm::Value* const following =
        builder_.CreateAdd(step, builder_.getInt64(1));
    BasicBlock* const last = builder_.GetInsertBlock();
    step->addIncoming(following, last);
    builder_.CreateCondBr(builder_.CreateICmpSLT(following, call_.end), body,
                          done);
    builder_.SetInsertPoint(done);
    EmitEnd(*last);
    Sink(*last, *done);
  }

 private:
  struct Lane {
    Part part;
    LlvmValues first;  // states, then sums
    // The same at the start of a step; null for states that no step looks at.
    std::vector<llvm::PHINode*> carried;
  };

  void EmitFirst(const std::vector<bool>& needed) {
    for (size_t p = 0; p < parts_.size(); ++p) {
      parts_[p].part.noise = code_.Place(call_.noise, 0, p);
      for (size_t i = 0; i < code_.n_states; ++i) {
        parts_[p].first.push_back(code_.Load(code_.Place(call_.states, i, p)));
      }
      for (size_t i = 0; i < code_.n_compared; ++i) {
        parts_[p].first.push_back(code_.Load(code_.Place(call_.sums, i, p)));
      }
      code_.EmitInvariants(needed, call_.parameters, p, parts_[p].part.values);
    }
  }

  // Of all parts: next states and sums.
  void EmitStep(const std::vector<bool>& needed) {
    const auto add_up = [&](Lane& lane, size_t i) {
      lane.part.sums[i] =
          code_.AddUp(call_, lane.part, i, lane.carried[code_.n_states + i]);
    };
    const KernelCode::Mark before = code_.Here();
    std::vector<Part*> parts;
    for (Lane& lane : parts_) {
      Part& part = lane.part;
      parts.push_back(&part);
      part.own.assign(needed.size(), false);
      for (size_t id = 0; id < needed.size(); ++id) {
        const Value& value = program_.values[id];
        part.own[id] = needed[id] && code_.IsComputed(id);
        if (value.op == Op::kState) {
          part.values[id] = lane.carried[static_cast<size_t>(value.index)];
        }
      }
      code_.EmitOwn(call_, part);
      part.sums.assign(code_.n_compared, nullptr);
      for (size_t i = 0; i < code_.n_compared; ++i) {
        if (!code_.late[program_.observed[i]]) add_up(lane, i);
      }
    }
    InterleaveFrom(before);
    code_.RedoLate(parts);
    for (Lane& lane : parts_) {
      for (size_t i = 0; i < code_.n_compared; ++i) {
        if (lane.part.sums[i] == nullptr) add_up(lane, i);
      }
    }
  }

  void InterleaveFrom(const KernelCode::Mark& mark) {
    std::vector<Carried> states;
    for (size_t p = 0; p < parts_.size(); ++p) {
      for (size_t i = 0; i < code_.n_states; ++i) {
        if (parts_[p].carried[i] == nullptr) continue;
        states.push_back({parts_[p].carried[i],
                          parts_[p].part.values[program_.next[i]],
                          static_cast<int>(p)});
      }
    }
    InterleaveBehind(*mark.block, mark.last, states, code_.in.width);
  }

  void EmitRecord(llvm::Value* step) {
    const size_t n_outputs = program_.outputs.size();
    llvm::Value* const row =
        builder_.CreateMul(builder_.CreateSub(step, call_.begin),
                           builder_.getInt64(n_outputs * parts_.size()));
    llvm::Value* const array =
        builder_.CreateGEP(code_.in.number(), call_.record, row);
    for (size_t p = 0; p < parts_.size(); ++p) {
      for (size_t i = 0; i < n_outputs; ++i) {
        code_.Store(parts_[p].part.values[program_.observed[i]],
                    code_.Place(array, i, p));
      }
    }
  }

  // Behind the loop, which ended in `last`: stores states and sums.
  void EmitEnd(BasicBlock& last) {
    for (size_t p = 0; p < parts_.size(); ++p) {
      const Lane& lane = parts_[p];
      for (size_t i = 0; i < lane.carried.size(); ++i) {
        const bool is_state = i < code_.n_states;
        llvm::Value* const next = is_state ? lane.part.values[program_.next[i]]
                                           : lane.part.sums[i - code_.n_states];
        if (lane.carried[i] != nullptr) {
          lane.carried[i]->addIncoming(next, &last);
        }
        code_.Store(next, is_state
                              ? code_.Place(call_.states, i, p)
                              : code_.Place(call_.sums, i - code_.n_states, p));
      }
    }
    builder_.CreateRetVoid();
  }

  // What the loop's last block computes and only `done` uses is moved there:
  // numbers made of truths for the most part, such as whether a neuron is
  // refractory.
  static void Sink(BasicBlock& last, BasicBlock& done) {
    std::vector<llvm::Instruction*> sunk;  // from last to first
    for (llvm::Instruction& instruction : llvm::reverse(last)) {
      if (instruction.isTerminator() || llvm::isa<llvm::PHINode>(instruction) ||
          instruction.mayReadOrWriteMemory() ||
          !llvm::all_of(instruction.users(), [&](const llvm::User* user) {
            return llvm::is_contained(sunk, user) ||
                   llvm::cast<llvm::Instruction>(user)->getParent() == &done;
          })) {
        continue;
      }
      sunk.push_back(&instruction);
    }
    for (llvm::Instruction* const instruction : sunk) {
      instruction->moveBefore(done, done.begin());
    }
  }

  KernelCode& code_;
  const CallCode& call_;
  llvm::IRBuilder<>& builder_;
  const Program& program_;
  std::vector<Lane> parts_;
};

}  // namespace

void EmitSideBySide(KernelCode& code, const CallCode& call) {
  SideBySide(code, call).Emit();
}

}  // namespace somafit::jit
