#include "worker/jit/lanes.h"

#include <llvm/IR/MDBuilder.h>

namespace somafit::jit {
namespace {

// `lanes` of a vector.
llvm::Value* Take(llvm::IRBuilder<>& builder, llvm::Value* vector, int first,
                  int count) {
  llvm::SmallVector<int> lanes;
  for (int i = 0; i < count; ++i) lanes.push_back(first + i);
  return builder.CreateShuffleVector(vector, lanes);
}

// Applies `part` to pieces of `size` lanes of all operands, joins the results.
template <typename Part>
llvm::Value* InPieces(llvm::IRBuilder<>& builder, int width, int size,
                      const llvm::SmallVector<llvm::Value*, 2>& operands,
                      const Part& part) {
  if (width <= size) return part(operands);
  llvm::Value* halves[2];
  for (int half = 0; half < 2; ++half) {
    llvm::SmallVector<llvm::Value*, 2> taken;
    for (llvm::Value* const operand : operands) {
      taken.push_back(Take(builder, operand, half * width / 2, width / 2));
    }
    halves[half] = InPieces(builder, width / 2, size, taken, part);
  }
  llvm::SmallVector<int> all;
  for (int i = 0; i < width; ++i) all.push_back(i);
  return builder.CreateShuffleVector(halves[0], halves[1], all);
}

}  // namespace

Lanes ScaleByPower(const Lanes& q, const Lanes& t) {
  const Emission& in = *q.in;
  if (in.isa != Isa::kAvx512) {
    const auto scales = elementary::SplitPower(t);
    return (q * scales.first) * scales.second;
  }
  const Lanes n = t - Like(t, elementary::kRounder);
  llvm::IRBuilder<>& builder = in.builder;
  const auto scale = [&](const auto& operands) -> llvm::Value* {
    llvm::Constant* const all = builder.getInt8(255);
    llvm::SmallVector<llvm::Value*> arguments = {operands[0], operands[1],
                                                 operands[0], all};
    if (in.width == 4) {
      return builder.CreateIntrinsic(
          llvm::Intrinsic::x86_avx512_mask_scalef_pd_256, {}, arguments);
    }
    arguments.push_back(builder.getInt32(4));  // the present rounding mode
    return builder.CreateIntrinsic(
        llvm::Intrinsic::x86_avx512_mask_scalef_pd_512, {}, arguments);
  };
  return {q.in, InPieces(builder, in.width, 8, {q.value, n.value}, scale)};
}

Lanes Exprel(const Lanes& x) {
  llvm::IRBuilder<>& builder = x.in->builder;
  const LaneTruth small = Abs(x) < Like(x, elementary::kExprelLimit);
  const Lanes near = elementary::ExprelNear(x);
  llvm::Value* const all = builder.CreateAndReduce(small.value);
  llvm::BasicBlock* const before = builder.GetInsertBlock();
  llvm::Function* const function = before->getParent();
  llvm::LLVMContext& context = builder.getContext();
  auto* const some_far = llvm::BasicBlock::Create(context, "far", function);
  auto* const joined = llvm::BasicBlock::Create(context, "joined", function);
  builder.CreateCondBr(all, joined, some_far,
                       llvm::MDBuilder(context).createBranchWeights(15, 1));
  builder.SetInsertPoint(some_far);
  const Lanes mixed = Select(small, near, elementary::ExprelFar(x));
  builder.CreateBr(joined);
  builder.SetInsertPoint(joined);
  auto* const result = builder.CreatePHI(x.in->number(), 2);
  result->addIncoming(near.value, before);
  result->addIncoming(mixed.value, some_far);
  return {x.in, result};
}

Lanes CallLibrary(const std::string& name, const Lanes& a, const Lanes* b) {
  const Emission& in = *a.in;
  llvm::IRBuilder<>& builder = in.builder;
  const int size = in.isa == Isa::kAvx512 && in.width >= 8 ? 8 : 4;
  llvm::Type* const type = llvm::FixedVectorType::get(
      builder.getDoubleTy(), static_cast<unsigned>(size));
  llvm::SmallVector<llvm::Value*, 2> operands = {a.value};
  if (b != nullptr) operands.push_back(b->value);
  const llvm::SmallVector<llvm::Type*> types(operands.size(), type);
  llvm::Module* const module = builder.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee = module->getOrInsertFunction(
      "Sleef_finz_" + name + (size == 8 ? "d8_u10avx512f" : "d4_u10avx2"),
      llvm::FunctionType::get(type, types, false));
  auto* const function = llvm::cast<llvm::Function>(callee.getCallee());
  // They may be computed once for equal operands, and before the loop.
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  return {&in, InPieces(builder, in.width, size, operands,
                        [&](const auto& arguments) -> llvm::Value* {
                          return builder.CreateCall(callee, arguments);
                        })};
}

}  // namespace somafit::jit
