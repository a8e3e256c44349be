#pragma once

#include <vector>

#include <llvm/IR/BasicBlock.h>
#include <llvm/IR/Instructions.h>

namespace somafit::jit {

struct Carried {
  const llvm::Value* at_start;  // of the step: a phi, or a load from memory
  const llvm::Value* next;      // what it is at the next step's
  // Instructions on states of parts that come later begin later, so that one
  // part's long chains lie beside another's short ones.
  int part;
};

// Orders the instructions of a block behind `after`, or all of them, and of the
// blocks that follow it, for a processor that looks some hundred instructions
// ahead: chains that do not wait for one another side by side, and nothing
// before its operands are there. It is list scheduling, the longest way to the
// end first, counting on into the next step; `lanes` are those of its vectors.
// REQUIRES: none of them writes to memory.
void InterleaveBehind(llvm::BasicBlock& block, const llvm::Instruction* after,
                      const std::vector<Carried>& carried, int lanes);

}  // namespace somafit::jit
