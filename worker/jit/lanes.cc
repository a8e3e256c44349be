#include "worker/jit/lanes.h"

#include <llvm/IR/MDBuilder.h>

#include "worker/jit/library.h"

namespace somafit::jit {
namespace {

// It may be computed once for equal operands, and before the loop.
void MarkPure(llvm::FunctionCallee callee) {
  auto* const function = llvm::cast<llvm::Function>(callee.getCallee());
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
}

}  // namespace

Lanes ScaleByPower(const Lanes& q, const Lanes& t) {
  const Emission& in = *q.in;
  if (in.isa != Isa::kAvx512) return elementary::ScaleInHalves(q, t);
  const Lanes n = t - Like(t, elementary::kRounder);
  llvm::IRBuilder<>& builder = in.builder;
  llvm::Constant* const all = builder.getInt8(255);
  llvm::SmallVector<llvm::Value*> arguments = {q.value, n.value, q.value, all};
  auto function = llvm::Intrinsic::x86_avx512_mask_scalef_pd_256;
  if (in.width == 8) {
    function = llvm::Intrinsic::x86_avx512_mask_scalef_pd_512;
    arguments.push_back(builder.getInt32(4));  // the present rounding mode
  }
  return {q.in, builder.CreateIntrinsic(function, {}, arguments)};
}

UnlessAll::UnlessAll(const LaneTruth& all) : builder_(all.in->builder) {
  llvm::Value* const condition = builder_.CreateAndReduce(all.value);
  before_ = builder_.GetInsertBlock();
  llvm::LLVMContext& context = builder_.getContext();
  llvm::Function* const function = before_->getParent();
  auto* const some = llvm::BasicBlock::Create(context, "some", function);
  after_ = llvm::BasicBlock::Create(context, "after", function);
  builder_.CreateCondBr(condition, after_, some,
                        llvm::MDBuilder(context).createBranchWeights(15, 1));
  builder_.SetInsertPoint(some);
}

std::vector<llvm::Value*> UnlessAll::End(
    const std::vector<llvm::Value*>& usual,
    const std::vector<llvm::Value*>& otherwise) {
  llvm::BasicBlock* const last = builder_.GetInsertBlock();
  builder_.CreateBr(after_);
  builder_.SetInsertPoint(after_);
  std::vector<llvm::Value*> results;
  for (size_t i = 0; i < usual.size(); ++i) {
    auto* const result = builder_.CreatePHI(usual[i]->getType(), 2);
    result->addIncoming(usual[i], before_);
    result->addIncoming(otherwise[i], last);
    results.push_back(result);
  }
  return results;
}

LaneTruth IsNear(const Lanes& x) {
  // ExprelNear squares it too.
  return x * x < Like(x, elementary::kExprelLimitSquared);
}

Lanes ExprelOf(const Lanes& x, const Lanes& near, const LaneTruth& is_near) {
  UnlessAll some_far(is_near);
  const Lanes mixed = Select(is_near, near, elementary::ExprelFar(x));
  return {x.in, some_far.End({near.value}, {mixed.value})[0]};
}

std::vector<Lanes> ExprelsOf(const std::vector<Lanes>& xs,
                             const std::vector<Lanes>& near) {
  const Emission& in = *xs.front().in;
  llvm::IRBuilder<>& builder = in.builder;
  llvm::BasicBlock* const before = builder.GetInsertBlock();
  llvm::Function* const function = before->getParent();
  llvm::BasicBlock& entry = function->getEntryBlock();
  llvm::IRBuilder<> start(&entry, entry.begin());
  llvm::Value* const count = start.getInt64(xs.size());
  llvm::Value* const arguments = start.CreateAlloca(in.number(), count);
  llvm::Value* const results = start.CreateAlloca(in.number(), count);
  const auto place = [&](llvm::Value* array, llvm::Value* index) {
    return builder.CreateGEP(in.number(), array, index);
  };
  const auto load = [&](llvm::Value* array, llvm::Value* index) -> Lanes {
    return {&in, builder.CreateLoad(in.number(), place(array, index))};
  };
  for (size_t i = 0; i < xs.size(); ++i) {
    llvm::Value* const index = builder.getInt64(i);
    builder.CreateStore(xs[i].value, place(arguments, index));
    builder.CreateStore(near[i].value, place(results, index));
  }
  llvm::LLVMContext& context = builder.getContext();
  auto* const loop = llvm::BasicBlock::Create(context, "exprels", function);
  auto* const done = llvm::BasicBlock::Create(context, "done", function);
  builder.CreateBr(loop);
  builder.SetInsertPoint(loop);
  auto* const i = builder.CreatePHI(builder.getInt64Ty(), 2);
  const Lanes x = load(arguments, i);
  builder.CreateStore(ExprelOf(x, load(results, i), IsNear(x)).value,
                      place(results, i));
  llvm::Value* const next = builder.CreateAdd(i, builder.getInt64(1));
  i->addIncoming(builder.getInt64(0), before);
  i->addIncoming(next, builder.GetInsertBlock());
  builder.CreateCondBr(builder.CreateICmpULT(next, count), loop, done);
  builder.SetInsertPoint(done);
  std::vector<Lanes> exprels;
  for (size_t k = 0; k < xs.size(); ++k) {
    exprels.push_back(load(results, builder.getInt64(k)));
  }
  return exprels;
}

Lanes CallLibrary(const std::string& name, const Lanes& a, const Lanes* b) {
  const Emission& in = *a.in;
  llvm::IRBuilder<>& builder = in.builder;
  llvm::SmallVector<llvm::Value*, 2> operands = {a.value};
  if (b != nullptr) operands.push_back(b->value);
  const llvm::SmallVector<llvm::Type*> types(operands.size(), in.number());
  llvm::Module* const module = builder.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee = module->getOrInsertFunction(
      "Sleef_finz_" + name + (in.width == 8 ? "d8_u10avx512f" : "d4_u10avx2"),
      llvm::FunctionType::get(in.number(), types, false));
  MarkPure(callee);
  return {&in, builder.CreateCall(callee, operands)};
}

Lanes CallPoisson(const Lanes& mean, const Lanes& uniform) {
  const Emission& in = *mean.in;
  llvm::IRBuilder<>& builder = in.builder;
  llvm::Type* const number = builder.getDoubleTy();
  llvm::FunctionCallee callee =
      builder.GetInsertBlock()->getModule()->getOrInsertFunction(
          kPoissonName,
          llvm::FunctionType::get(number, {number, number}, false));
  MarkPure(callee);
  llvm::Value* result = Like(mean, 0.0).value;
  for (uint64_t lane = 0; lane < static_cast<uint64_t>(in.width); ++lane) {
    llvm::Value* const drawn = builder.CreateCall(
        callee, {builder.CreateExtractElement(mean.value, lane),
                 builder.CreateExtractElement(uniform.value, lane)});
    result = builder.CreateInsertElement(result, drawn, lane);
  }
  return {&in, result};
}

}  // namespace somafit::jit
