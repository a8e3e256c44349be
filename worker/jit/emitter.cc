#include "worker/jit/emitter.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include <llvm/IR/IRBuilder.h>

#include "worker/jit/ahead.h"
#include "worker/jit/interleave.h"
#include "worker/jit/lanes.h"
#include "worker/jit/late_exprel.h"
#include "worker/jit/operation.h"

namespace somafit::jit {
namespace {

using llvm::BasicBlock;
using llvm::Function;
using llvm::Type;

class Emitter {
 public:
  Emitter(const Program& program, const KernelOptions& options,
          const std::string& cpu, const std::string& tune_cpu,
          llvm::LLVMContext& context)
      : program_(&program),
        options_(options),
        n_states_(program.states.size()),
        n_compared_(options.variant == KernelVariant::kRecord
                        ? 0
                        : program.outputs.size()),
        rates_(Rates(program)),
        cpu_(cpu),
        tune_cpu_(tune_cpu),
        module_(std::make_unique<llvm::Module>("somafit", context)),
        builder_(context),
        in_{builder_, options.isa,
            std::min(options.width, options.isa == Isa::kAvx512 ? 8 : 4)},
        parts_(static_cast<size_t>(options.width / in_.width)) {
    for (size_t i = 0; i < parts_.size(); ++i) parts_[i].number = i;
  }

  std::unique_ptr<llvm::Module> Emit() {
    EmitStart();
    EmitRun();
    return std::move(module_);
  }

 private:
  using Values = std::vector<llvm::Value*>;

  struct LateExprel {
    ValueId id;
    Lanes x, near;
  };
  // As many of the block's lanes as a register holds. Parts do not wait for one
  // another, and the processor overlaps them.
  struct Part {
    size_t number = 0;
    Values values;  // per value of the program; null where not needed
    Values first;   // states and what is done ahead, then sums
    std::vector<llvm::PHINode*> carried;  // the same at the start of a step
    Values sums;                          // at its end
    std::vector<LateExprel> late_exprels;
  };

  Function* Begin(const char* name, const std::vector<Type*>& arguments) {
    auto* const type =
        llvm::FunctionType::get(builder_.getVoidTy(), arguments, false);
    Function* const function = Function::Create(
        type, llvm::GlobalValue::ExternalLinkage, name, module_.get());
    function->addFnAttr("target-cpu", cpu_);
    function->addFnAttr("tune-cpu", tune_cpu_);
    const std::string bits = options_.isa == Isa::kAvx512 ? "512" : "256";
    function->addFnAttr("prefer-vector-width", bits);
    function->addFnAttr("min-legal-vector-width", bits);
    function->setDoesNotThrow();
    builder_.SetInsertPoint(
        BasicBlock::Create(builder_.getContext(), "entry", function));
    return function;
  }

  // A part's lanes of element `index` of an array of blocks of lanes.
  llvm::Value* Place(llvm::Value* array, size_t index, const Part& part) {
    return builder_.CreateConstGEP1_64(in_.number(), array,
                                       index * parts_.size() + part.number);
  }
  llvm::Value* Load(llvm::Value* place) {
    return builder_.CreateAlignedLoad(in_.number(), place, llvm::Align(8));
  }
  void Store(llvm::Value* lanes, llvm::Value* place) {
    builder_.CreateAlignedStore(lanes, place, llvm::Align(8));
  }

  llvm::Value* Field(llvm::Value* call, size_t offset, Type* type) {
    return builder_.CreateAlignedLoad(
        type, builder_.CreateConstGEP1_64(builder_.getInt8Ty(), call, offset),
        llvm::Align(8));
  }
  // Signal `index` of an array of pointers to signals.
  Values Signals(llvm::Value* array, size_t count) {
    Values signals;
    for (size_t i = 0; i < count; ++i) {
      signals.push_back(builder_.CreateAlignedLoad(
          builder_.getPtrTy(),
          builder_.CreateConstGEP1_64(builder_.getPtrTy(), array, i),
          llvm::Align(8)));
    }
    return signals;
  }
  llvm::Value* Sample(llvm::Value* signal, llvm::Value* step) {
    return builder_.CreateAlignedLoad(
        builder_.getDoubleTy(),
        builder_.CreateInBoundsGEP(builder_.getDoubleTy(), signal, step),
        llvm::Align(8));
  }

  // Which values `results` depend on.
  std::vector<bool> Needed(
      std::initializer_list<const std::vector<ValueId>*> results) const {
    std::vector<bool> needed(program_->values.size(), false);
    for (const auto* ids : results) {
      for (const ValueId id : *ids) needed[id] = true;
    }
    for (size_t id = needed.size(); id-- > 0;) {
      if (!needed[id]) continue;
      const Value& value = program_->values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) needed[operand] = true;
      }
    }
    return needed;
  }

  llvm::Value* Emit(const Value& value, const Part& part) {
    const auto operand = [&](ValueId id) {
      return Lanes{&in_, id < 0 ? nullptr : part.values[id]};
    };
    return EmitOperation(value.op, operand(value.a), operand(value.b),
                         operand(value.c))
        .value;
  }

  // What does not change from step to step, where the builder stands, and is
  // not there yet.
  void EmitInvariants(const std::vector<bool>& needed, llvm::Value* parameters,
                      Part& part) {
    part.values.resize(program_->values.size(), nullptr);
    for (size_t id = 0; id < needed.size(); ++id) {
      const Value& value = program_->values[id];
      if (!needed[id] || rates_[id] == Rate::kPerStep) continue;
      if (part.values[id] != nullptr) continue;
      if (value.op == Op::kConstant) {
        part.values[id] = Constant(in_, value.constant).value;
      } else if (value.op == Op::kParameter) {
        part.values[id] =
            Load(Place(parameters, static_cast<size_t>(value.index), part));
      } else {
        part.values[id] = Emit(value, part);
      }
    }
  }

  void EmitStart() {
    Function* const function =
        Begin(kStartName, {builder_.getPtrTy(), builder_.getPtrTy()});
    const std::vector<bool> needed = Needed({&program_->initial});
    for (Part& part : parts_) {
      part.values.clear();
      EmitInvariants(needed, function->getArg(0), part);
      for (size_t i = 0; i < program_->initial.size(); ++i) {
        Store(part.values[program_->initial[i]],
              Place(function->getArg(1), i, part));
      }
    }
    builder_.CreateRetVoid();
  }

  // What a KernelCall holds.
  struct Call {
    llvm::Value *begin, *end, *parameters, *states, *sums, *record;
    Values inputs, targets, weights;  // signals
  };
  Call LoadCall(llvm::Value* call) {
    Type* const integer = builder_.getInt64Ty();
    Type* const pointer = builder_.getPtrTy();
    const auto array = [&](size_t offset) {
      return Field(call, offset, pointer);
    };
    return {
        Field(call, offsetof(KernelCall, begin), integer),
        Field(call, offsetof(KernelCall, end), integer),
        array(offsetof(KernelCall, parameters)),
        array(offsetof(KernelCall, states)),
        array(offsetof(KernelCall, sums)),
        array(offsetof(KernelCall, record)),
        Signals(array(offsetof(KernelCall, inputs)), program_->inputs.size()),
        Signals(array(offsetof(KernelCall, targets)), n_compared_),
        Signals(array(offsetof(KernelCall, weights)), n_compared_)};
  }

  void EmitRun() {
    Function* const function = Begin(kRunName, {builder_.getPtrTy()});
    const Call call = LoadCall(function->getArg(0));
    // Work done ahead costs registers, of which AVX2 has 16, and time to
    // compile, which matters most to the short tasks that have narrow blocks.
    const bool pays = in_.isa == Isa::kAvx512 && parts_.size() > 1;
    std::optional<AheadProgram> ahead =
        pays ? ComputeAhead(*program_) : std::nullopt;
    for (Part& part : parts_) {
      part.values.clear();
      EmitFirst(call, ahead, part);
    }
    if (ahead) {
      rates_ = Rates(ahead->program);
      ahead_ = std::move(ahead->program);
      program_ = &ahead_;
    }
    const std::vector<bool> needed =
        Needed({&program_->next, &program_->observed});
    late_ = Late(*program_, needed);
    for (Part& part : parts_) EmitInvariants(needed, call.parameters, part);

    BasicBlock* const entry = builder_.GetInsertBlock();
    llvm::LLVMContext& context = builder_.getContext();
    BasicBlock* const body = BasicBlock::Create(context, "step", function);
    BasicBlock* const done = BasicBlock::Create(context, "done", function);
    builder_.CreateCondBr(builder_.CreateICmpSLT(call.begin, call.end), body,
                          done);
    builder_.SetInsertPoint(body);
    auto* const step = builder_.CreatePHI(builder_.getInt64Ty(), 2);
    step->addIncoming(call.begin, entry);
    for (Part& part : parts_) {
      for (llvm::Value* const value : part.first) {
        part.carried.push_back(builder_.CreatePHI(in_.number(), 2));
        part.carried.back()->addIncoming(value, entry);
      }
    }
    EmitStep(call, step, needed);
    llvm::Value* const following =
        builder_.CreateAdd(step, builder_.getInt64(1));
    BasicBlock* const last = builder_.GetInsertBlock();
    step->addIncoming(following, last);
    builder_.CreateCondBr(builder_.CreateICmpSLT(following, call.end), body,
                          done);
    builder_.SetInsertPoint(done);
    EmitEnd(call, entry, last);
  }

  // States, what the first step would have found done ahead, sums.
  void EmitFirst(const Call& call, const std::optional<AheadProgram>& ahead,
                 Part& part) {
    for (size_t i = 0; i < n_states_; ++i) {
      part.first.push_back(Load(Place(call.states, i, part)));
    }
    if (ahead) {
      const std::vector<bool> needed = Needed({&ahead->values});
      EmitInvariants(needed, call.parameters, part);
      for (size_t id = 0; id < needed.size(); ++id) {
        const Value& value = program_->values[id];
        if (!needed[id] || rates_[id] != Rate::kPerStep) continue;
        part.values[id] = value.op == Op::kState
                              ? part.first[static_cast<size_t>(value.index)]
                              : Emit(value, part);
      }
      for (const ValueId id : ahead->values) {
        part.first.push_back(part.values[id]);
      }
    }
    for (size_t i = 0; i < n_compared_; ++i) {
      part.first.push_back(Load(Place(call.sums, i, part)));
    }
  }

  // Of all parts: next states and sums, and what is recorded.
  void EmitStep(const Call& call, llvm::Value* step,
                const std::vector<bool>& needed) {
    const auto add_up = [&](Part& part, size_t i) {
      part.sums[i] =
          AddUp(part.values[program_->observed[i]],
                part.carried[program_->next.size() + i],
                Sample(call.targets[i], step), Sample(call.weights[i], step));
    };
    const Mark before = Here();
    for (Part& part : parts_) {
      EmitStep(call, step, needed, part);
      part.sums.assign(n_compared_, nullptr);
      for (size_t i = 0; i < n_compared_; ++i) {
        if (!late_[program_->observed[i]]) add_up(part, i);
      }
    }
    InterleaveFrom(before);
    RedoLate();
    for (Part& part : parts_) {
      for (size_t i = 0; i < n_compared_; ++i) {
        if (part.sums[i] == nullptr) add_up(part, i);
      }
    }
    if (options_.variant == KernelVariant::kRecord) EmitRecord(call, step);
  }

  void EmitRecord(const Call& call, llvm::Value* step) {
    const size_t n_outputs = program_->outputs.size();
    llvm::Value* const row =
        builder_.CreateMul(builder_.CreateSub(step, call.begin),
                           builder_.getInt64(n_outputs * parts_.size()));
    llvm::Value* const array =
        builder_.CreateGEP(in_.number(), call.record, row);
    for (const Part& part : parts_) {
      for (size_t i = 0; i < n_outputs; ++i) {
        Store(part.values[program_->observed[i]], Place(array, i, part));
      }
    }
  }

  // Stores states and sums; the loop came from `entry` and ended in `last`.
  void EmitEnd(const Call& call, BasicBlock* entry, BasicBlock* last) {
    const size_t n_carried = program_->next.size();
    std::vector<Values> results;
    for (const Part& part : parts_) {
      Values next;
      for (const ValueId id : program_->next) next.push_back(part.values[id]);
      next.insert(next.end(), part.sums.begin(), part.sums.end());
      results.emplace_back();
      for (size_t i = 0; i < next.size(); ++i) {
        part.carried[i]->addIncoming(next[i], last);
        auto* const result = builder_.CreatePHI(in_.number(), 2);
        result->addIncoming(part.first[i], entry);
        result->addIncoming(next[i], last);
        results.back().push_back(result);
      }
    }
    for (const Part& part : parts_) {
      const Values& of_part = results[part.number];
      for (size_t i = 0; i < n_states_; ++i) {
        Store(of_part[i], Place(call.states, i, part));
      }
      for (size_t i = 0; i < n_compared_; ++i) {
        Store(of_part[n_carried + i], Place(call.sums, i, part));
      }
    }
    builder_.CreateRetVoid();
  }

  void EmitStep(const Call& call, llvm::Value* step,
                const std::vector<bool>& needed, Part& part) {
    Type* const number = builder_.getDoubleTy();
    for (size_t id = 0; id < needed.size(); ++id) {
      if (!needed[id] || rates_[id] != Rate::kPerStep) continue;
      const Value& value = program_->values[id];
      const auto index = static_cast<size_t>(value.index);
      llvm::Value*& result = part.values[id];
      if (value.op == Op::kState) {
        result = part.carried[index];
      } else if (value.op == Op::kInput) {
        result = Splat(in_, Sample(call.inputs[index], step)).value;
      } else if (value.op == Op::kTime) {
        result = Splat(in_, builder_.CreateFMul(
                                builder_.CreateSIToFP(step, number),
                                llvm::ConstantFP::get(number, program_->dt)))
                     .value;
      } else if (value.op == Op::kExprel && late_[id]) {
        const Lanes x = {&in_, part.values[value.a]};
        const Lanes near = elementary::ExprelNear(x);
        all_near_ = all_near_ ? *all_near_ & IsNear(x) : IsNear(x);
        part.late_exprels.push_back({static_cast<ValueId>(id), x, near});
        result = near.value;
      } else {
        result = Emit(value, part);
      }
    }
  }

  // Where the builder stands: a block and its last instruction, if any.
  struct Mark {
    BasicBlock* block;
    llvm::Instruction* last;
  };
  Mark Here() {
    BasicBlock* const block = builder_.GetInsertBlock();
    return {block, block->empty() ? nullptr : &block->back()};
  }

  // Orders the step's code, from `mark` on.
  void InterleaveFrom(const Mark& mark) {
    std::vector<Carried> states;
    for (const Part& part : parts_) {
      for (size_t i = 0; i < program_->next.size(); ++i) {
        states.push_back({part.carried[i], part.values[program_->next[i]],
                          static_cast<int>(part.number)});
      }
    }
    Interleave(*mark.block, mark.last, states, in_.width);
    for (BasicBlock* block = mark.block->getNextNode(); block;
         block = block->getNextNode()) {
      Interleave(*block, nullptr, states, in_.width);
    }
  }

  // If a late exprel's argument was far in some lane, does again what depends
  // on such exprels.
  void RedoLate() {
    if (!all_near_) return;
    UnlessAll some_far(*all_near_);
    std::vector<Values> usual;
    for (const Part& part : parts_) usual.push_back(part.values);
    std::vector<Lanes> xs, near;
    for (const Part& part : parts_) {
      for (const LateExprel& late : part.late_exprels) {
        xs.push_back(late.x);
        near.push_back(late.near);
      }
    }
    const std::vector<Lanes> exprels = ExprelsOf(xs, near);
    size_t next = 0;
    for (Part& part : parts_) {
      for (const LateExprel& late : part.late_exprels) {
        part.values[late.id] = exprels[next++].value;
      }
    }
    Values if_near, if_far;
    for (Part& part : parts_) {
      for (size_t id = 0; id < late_.size(); ++id) {
        if (!late_[id]) continue;
        const Value& value = program_->values[id];
        if (value.op != Op::kExprel) part.values[id] = Emit(value, part);
        if_near.push_back(usual[part.number][id]);
        if_far.push_back(part.values[id]);
      }
    }
    const Values joined = some_far.End(if_near, if_far);
    size_t i = 0;
    for (Part& part : parts_) {
      for (size_t id = 0; id < late_.size(); ++id) {
        if (late_[id]) part.values[id] = joined[i++];
      }
    }
  }

  // sum + w d^2, or sum where the weight is 0: d may be infinite there.
  llvm::Value* AddUp(llvm::Value* output, llvm::Value* sum, llvm::Value* target,
                     llvm::Value* weight) {
    const Lanes d = Lanes{&in_, output} - Splat(in_, target);
    const Lanes added = Fma(Splat(in_, weight) * d, d, Lanes{&in_, sum});
    llvm::Value* const counts = builder_.CreateFCmpUNE(
        weight, llvm::ConstantFP::get(builder_.getDoubleTy(), 0.0));
    return builder_.CreateSelect(
        builder_.CreateVectorSplat(static_cast<unsigned>(in_.width), counts),
        added.value, sum);
  }

  const Program* program_;  // &ahead_ inside the loop, if there is one
  Program ahead_;
  const KernelOptions& options_;
  const size_t n_states_, n_compared_;
  std::vector<Rate> rates_;
  const std::string cpu_;
  const std::string tune_cpu_;
  std::unique_ptr<llvm::Module> module_;
  llvm::IRBuilder<> builder_;
  const Emission in_;
  std::vector<Part> parts_;
  std::vector<bool> late_;  // of the program's values, see late_exprel.h
  std::optional<LaneTruth> all_near_;  // the arguments of late exprels
};

}  // namespace

std::unique_ptr<llvm::Module> EmitKernel(const Program& program,
                                         const KernelOptions& options,
                                         const std::string& cpu,
                                         const std::string& tune_cpu,
                                         llvm::LLVMContext& context) {
  return Emitter(program, options, cpu, tune_cpu, context).Emit();
}

}  // namespace somafit::jit
