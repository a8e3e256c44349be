#include "worker/jit/emitter.h"

#include <cstddef>
#include <vector>

#include <llvm/IR/IRBuilder.h>

#include "worker/core/base/check.h"
#include "worker/jit/emission_order.h"
#include "worker/jit/lanes.h"

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
      : program_(program),
        options_(options),
        rates_(Rates(program)),
        cpu_(cpu),
        tune_cpu_(tune_cpu),
        module_(std::make_unique<llvm::Module>("somafit", context)),
        builder_(context),
        in_{builder_, options.isa, options.width} {}

  std::unique_ptr<llvm::Module> Emit() {
    EmitStart();
    EmitRun();
    return std::move(module_);
  }

 private:
  using Values = std::vector<llvm::Value*>;

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

  // Element `index` of an array of blocks of lanes.
  llvm::Value* Block(llvm::Value* array, size_t index) {
    return builder_.CreateConstGEP1_64(in_.number(), array, index);
  }
  llvm::Value* LoadLanes(llvm::Value* array, size_t index) {
    return builder_.CreateAlignedLoad(in_.number(), Block(array, index),
                                      llvm::Align(8));
  }
  void StoreLanes(llvm::Value* lanes, llvm::Value* array, size_t index) {
    builder_.CreateAlignedStore(lanes, Block(array, index), llvm::Align(8));
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
    std::vector<bool> needed(program_.values.size(), false);
    for (const auto* ids : results) {
      for (const ValueId id : *ids) needed[id] = true;
    }
    for (size_t id = needed.size(); id-- > 0;) {
      if (!needed[id]) continue;
      const Value& value = program_.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) needed[operand] = true;
      }
    }
    return needed;
  }

  // What does not change from step to step, where the builder stands.
  void EmitInvariants(const std::vector<bool>& needed,
                      llvm::Value* parameters) {
    values_.assign(program_.values.size(), nullptr);
    for (size_t id = 0; id < values_.size(); ++id) {
      const Value& value = program_.values[id];
      if (!needed[id] || rates_[id] == Rate::kPerStep) continue;
      if (value.op == Op::kConstant) {
        values_[id] = Constant(in_, value.constant).value;
      } else if (value.op == Op::kParameter) {
        values_[id] = LoadLanes(parameters, static_cast<size_t>(value.index));
      } else {
        values_[id] = EmitOperation(value).value;
      }
    }
  }

  void EmitStart() {
    Function* const function =
        Begin(kStartName, {builder_.getPtrTy(), builder_.getPtrTy()});
    EmitInvariants(Needed({&program_.initial}), function->getArg(0));
    for (size_t i = 0; i < program_.initial.size(); ++i) {
      StoreLanes(values_[program_.initial[i]], function->getArg(1), i);
    }
    builder_.CreateRetVoid();
  }

  void EmitRun() {
    const bool record = options_.variant == KernelVariant::kRecord;
    const size_t n_states = program_.states.size();
    const size_t n_outputs = program_.outputs.size();
    Function* const function = Begin(kRunName, {builder_.getPtrTy()});
    llvm::Value* const call = function->getArg(0);
    Type* const pointer = builder_.getPtrTy();
    Type* const integer = builder_.getInt64Ty();
    llvm::Value* const begin =
        Field(call, offsetof(KernelCall, begin), integer);
    llvm::Value* const end = Field(call, offsetof(KernelCall, end), integer);
    llvm::Value* const states =
        Field(call, offsetof(KernelCall, states), pointer);
    llvm::Value* const sums = Field(call, offsetof(KernelCall, sums), pointer);
    const Values inputs =
        Signals(Field(call, offsetof(KernelCall, inputs), pointer),
                program_.inputs.size());
    const size_t n_compared = record ? 0 : n_outputs;
    const Values targets = Signals(
        Field(call, offsetof(KernelCall, targets), pointer), n_compared);
    const Values weights = Signals(
        Field(call, offsetof(KernelCall, weights), pointer), n_compared);
    llvm::Value* const recorded =
        Field(call, offsetof(KernelCall, record), pointer);
    EmitInvariants(Needed({&program_.next, &program_.observed}),
                   Field(call, offsetof(KernelCall, parameters), pointer));
    Values first;
    for (size_t i = 0; i < n_states; ++i) {
      first.push_back(LoadLanes(states, i));
    }
    for (size_t i = 0; i < n_compared; ++i) first.push_back(LoadLanes(sums, i));

    BasicBlock* const entry = builder_.GetInsertBlock();
    llvm::LLVMContext& context = builder_.getContext();
    BasicBlock* const body = BasicBlock::Create(context, "step", function);
    BasicBlock* const done = BasicBlock::Create(context, "done", function);
    builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), body, done);

    builder_.SetInsertPoint(body);
    auto* const step = builder_.CreatePHI(integer, 2);
    step->addIncoming(begin, entry);
    std::vector<llvm::PHINode*> carried;
    for (llvm::Value* const value : first) {
      carried.push_back(builder_.CreatePHI(in_.number(), 2));
      carried.back()->addIncoming(value, entry);
    }
    EmitStep(step, carried, inputs);
    Values next;
    for (const ValueId id : program_.next) next.push_back(values_[id]);
    for (size_t i = 0; i < n_compared; ++i) {
      next.push_back(AddUp(values_[program_.observed[i]], carried[n_states + i],
                           Sample(targets[i], step), Sample(weights[i], step)));
    }
    if (record) {
      llvm::Value* const row = builder_.CreateMul(
          builder_.CreateSub(step, begin), builder_.getInt64(n_outputs));
      llvm::Value* const place =
          builder_.CreateGEP(in_.number(), recorded, row);
      for (size_t i = 0; i < n_outputs; ++i) {
        StoreLanes(values_[program_.observed[i]], place, i);
      }
    }
    llvm::Value* const following =
        builder_.CreateAdd(step, builder_.getInt64(1));
    BasicBlock* const last = builder_.GetInsertBlock();
    step->addIncoming(following, last);
    for (size_t i = 0; i < carried.size(); ++i) {
      carried[i]->addIncoming(next[i], last);
    }
    builder_.CreateCondBr(builder_.CreateICmpSLT(following, end), body, done);

    builder_.SetInsertPoint(done);
    for (size_t i = 0; i < carried.size(); ++i) {
      auto* const result = builder_.CreatePHI(in_.number(), 2);
      result->addIncoming(first[i], entry);
      result->addIncoming(next[i], last);
      next[i] = result;
    }
    for (size_t i = 0; i < n_states; ++i) StoreLanes(next[i], states, i);
    for (size_t i = 0; i < n_compared; ++i) {
      StoreLanes(next[n_states + i], sums, i);
    }
    builder_.CreateRetVoid();
  }

  void EmitStep(llvm::Value* step, const std::vector<llvm::PHINode*>& carried,
                const Values& inputs) {
    for (const ValueId id : EmissionOrder(
             program_, Needed({&program_.next, &program_.observed}))) {
      const Value& value = program_.values[id];
      switch (value.op) {
        case Op::kState:
          values_[id] = carried[static_cast<size_t>(value.index)];
          break;
        case Op::kInput:
          values_[id] =
              Splat(in_, Sample(inputs[static_cast<size_t>(value.index)], step))
                  .value;
          break;
        case Op::kTime:
          values_[id] =
              Splat(in_,
                    builder_.CreateFMul(
                        builder_.CreateSIToFP(step, builder_.getDoubleTy()),
                        llvm::ConstantFP::get(builder_.getDoubleTy(),
                                              program_.dt)))
                  .value;
          break;
        default:
          values_[id] = EmitOperation(value).value;
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

  Lanes EmitOperation(const Value& value) {
    const auto operand = [this](ValueId id) {
      return Lanes{&in_, id < 0 ? nullptr : values_[id]};
    };
    const Lanes a = operand(value.a), b = operand(value.b),
                c = operand(value.c);
    switch (value.op) {
      case Op::kNegate:
        return -a;
      case Op::kAbs:
        return Abs(a);
      case Op::kSqrt:
        return Intrinsic(llvm::Intrinsic::sqrt, a);
      case Op::kExp:
        return elementary::ExpOf(a);
      case Op::kExpm1:
        return elementary::Expm1Of(a);
      case Op::kExprel:
        return Exprel(a);
      case Op::kBernoulli:
        return elementary::BernoulliOf(a);
      case Op::kSin:
        return CallLibrary("sin", a);
      case Op::kCos:
        return CallLibrary("cos", a);
      case Op::kTan:
        return CallLibrary("tan", a);
      case Op::kSinh:
        return elementary::SinhOf(a);
      case Op::kCosh:
        return elementary::CoshOf(a);
      case Op::kTanh:
        return elementary::TanhOf(a);
      case Op::kAsin:
        return CallLibrary("asin", a);
      case Op::kAcos:
        return CallLibrary("acos", a);
      case Op::kAtan:
        return CallLibrary("atan", a);
      case Op::kLog:
        return CallLibrary("log", a);
      case Op::kLog10:
        return CallLibrary("log10", a);
      case Op::kLog1p:
        return Select(a > Like(a, elementary::kLog1pLimit),
                      CallLibrary("log", a), CallLibrary("log1p", a));
      case Op::kSign:
        return elementary::SignOf(a);
      case Op::kFloor:
        return Intrinsic(llvm::Intrinsic::floor, a);
      case Op::kCeil:
        return Intrinsic(llvm::Intrinsic::ceil, a);
      case Op::kAdd:
        return a + b;
      case Op::kSubtract:
        return a - b;
      case Op::kMultiply:
        return a * b;
      case Op::kDivide:
        return a / b;
      case Op::kPower:
        return CallLibrary("pow", a, &b);
      case Op::kFma:
        return Fma(a, b, c);
      case Op::kClip:
        return elementary::ClipOf(a, b, c);
      case Op::kConstant:
      case Op::kParameter:
      case Op::kState:
      case Op::kInput:
      case Op::kTime:
        break;
    }
    SOMAFIT_CHECK(OpArity(value.op) > 0);
    return a;
  }

  const Program& program_;
  const KernelOptions& options_;
  const std::vector<Rate> rates_;
  const std::string cpu_;
  const std::string tune_cpu_;
  std::unique_ptr<llvm::Module> module_;
  llvm::IRBuilder<> builder_;
  const Emission in_;
  Values values_;  // per value of the program; null where not needed
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
