#include "worker/jit/kernel_code.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "worker/jit/operation.h"

namespace somafit::jit {

using llvm::BasicBlock;
using llvm::Function;
using llvm::Type;

KernelCode::KernelCode(const Program& the_program,
                       const KernelOptions& the_options, const std::string& cpu,
                       const std::string& tune_cpu, llvm::LLVMContext& context)
    : program(the_program),
      options(the_options),
      rates(Rates(program)),
      n_states(program.states.size()),
      n_compared(options.variant == KernelVariant::kRecord
                     ? 0
                     : program.outputs.size()),
      module(std::make_unique<llvm::Module>("somafit", context)),
      builder(context),
      in{builder, options.isa,
         std::min(options.width, options.isa == Isa::kAvx512 ? 8 : 4)},
      n_parts(static_cast<size_t>(options.width / in.width)),
      cpu_(cpu),
      tune_cpu_(tune_cpu) {
  for (const Value& value : program.values) {
    bool uniform = value.op != Op::kParameter && value.op != Op::kState &&
                   value.op != Op::kNoise;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      uniform = uniform && (operand < 0 || is_uniform_[operand]);
    }
    is_uniform_.push_back(uniform);
  }
}

Function* KernelCode::Begin(const char* name,
                            const std::vector<Type*>& arguments) {
  auto* const type =
      llvm::FunctionType::get(builder.getVoidTy(), arguments, false);
  Function* const function = Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, name, module.get());
  function->addFnAttr("target-cpu", cpu_);
  function->addFnAttr("tune-cpu", tune_cpu_);
  const std::string bits = options.isa == Isa::kAvx512 ? "512" : "256";
  function->addFnAttr("prefer-vector-width", bits);
  function->addFnAttr("min-legal-vector-width", bits);
  function->setDoesNotThrow();
  builder.SetInsertPoint(
      BasicBlock::Create(builder.getContext(), "entry", function));
  return function;
}

llvm::Value* KernelCode::Place(llvm::Value* array, size_t index, size_t part) {
  return builder.CreateConstGEP1_64(in.number(), array, index * n_parts + part);
}
llvm::Value* KernelCode::Load(llvm::Value* place) {
  return builder.CreateAlignedLoad(in.number(), place, llvm::Align(8));
}
void KernelCode::Store(llvm::Value* lanes, llvm::Value* place) {
  builder.CreateAlignedStore(lanes, place, llvm::Align(8));
}

CallCode KernelCode::LoadCall(llvm::Value* call) {
  Type* const integer = builder.getInt64Ty();
  Type* const pointer = builder.getPtrTy();
  const auto field = [&](size_t offset, Type* type) {
    return builder.CreateAlignedLoad(
        type, builder.CreateConstGEP1_64(builder.getInt8Ty(), call, offset),
        llvm::Align(8));
  };
  const auto array = [&](size_t offset) { return field(offset, pointer); };
  const auto arrays = [&](size_t offset, size_t count) {
    llvm::Value* const pointers = array(offset);
    LlvmValues found;
    for (size_t i = 0; i < count; ++i) {
      found.push_back(builder.CreateAlignedLoad(
          pointer, builder.CreateConstGEP1_64(pointer, pointers, i),
          llvm::Align(8)));
    }
    return found;
  };
  arrays_ = arrays(offsetof(KernelCall, arrays), program.arrays.size());
  return {field(offsetof(KernelCall, begin), integer),
          field(offsetof(KernelCall, end), integer),
          field(offsetof(KernelCall, n_steps), integer),
          array(offsetof(KernelCall, parameters)),
          array(offsetof(KernelCall, states)),
          array(offsetof(KernelCall, sums)),
          array(offsetof(KernelCall, record)),
          array(offsetof(KernelCall, noise)),
          arrays(offsetof(KernelCall, inputs), program.inputs.size()),
          arrays(offsetof(KernelCall, targets), n_compared),
          arrays(offsetof(KernelCall, weights),
                 options.variant == KernelVariant::kErrors ? n_compared : 0)};
}

llvm::Value* KernelCode::Sample(llvm::Value* signal, llvm::Value* step) {
  return builder.CreateAlignedLoad(
      builder.getDoubleTy(),
      builder.CreateInBoundsGEP(builder.getDoubleTy(), signal, step),
      llvm::Align(8));
}

std::vector<ValueId> KernelCode::Results() const {
  std::vector<ValueId> results = program.next;
  results.insert(results.end(), program.observed.begin(),
                 program.observed.end());
  return results;
}

std::vector<bool> KernelCode::Needed(
    const std::vector<ValueId>& results) const {
  std::vector<bool> needed(program.values.size(), false);
  for (const ValueId id : results) needed[id] = true;
  for (size_t id = needed.size(); id-- > 0;) {
    if (!needed[id]) continue;
    const Value& value = program.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) needed[operand] = true;
    }
  }
  return needed;
}

llvm::Value* KernelCode::Emit(const Value& value, const LlvmValues& values) {
  const auto operand = [&](ValueId id) {
    return Lanes{&in, id < 0 ? nullptr : values[id]};
  };
  if (value.op == Op::kElement) return EmitElement(value, operand(value.a));
  if (llvm::Value* const truth = EmitTruth(value, values)) return truth;
  if (value.op == Op::kSelect) {
    if (llvm::Value* const condition = TruthOf(values[value.a])) {
      return Select({&in, condition}, operand(value.b), operand(value.c)).value;
    }
  }
  return EmitOperation(value.op, operand(value.a), operand(value.b),
                       operand(value.c))
      .value;
}

llvm::Value* KernelCode::TruthOf(llvm::Value* number) const {
  if (const auto* const constant = llvm::dyn_cast<llvm::Constant>(number)) {
    const auto* const splat =
        llvm::dyn_cast_or_null<llvm::ConstantFP>(constant->getSplatValue());
    const bool is_one = splat != nullptr && splat->isExactlyValue(1.0);
    const bool is_zero = splat != nullptr && splat->isZero();
    if (!is_one && !is_zero) return nullptr;
    return llvm::ConstantInt::get(llvm::CmpInst::makeCmpResultType(in.number()),
                                  is_one ? 1 : 0);
  }
  const auto found = truth_of_.find(number);
  return found == truth_of_.end() ? nullptr : found->second;
}

llvm::Value* KernelCode::EmitTruth(const Value& value,
                                   const LlvmValues& values) {
  const auto compared = [&](llvm::CmpInst::Predicate predicate) {
    return builder.CreateFCmp(predicate, values[value.a], values[value.b]);
  };
  llvm::Value* truth = nullptr;
  if (value.op == Op::kLess) {
    truth = compared(llvm::CmpInst::FCMP_OLT);
  } else if (value.op == Op::kLessEqual) {
    truth = compared(llvm::CmpInst::FCMP_OLE);
  } else if (value.op == Op::kEqual) {
    truth = compared(llvm::CmpInst::FCMP_OEQ);
  } else if (value.op == Op::kSelect) {
    llvm::Value* const condition = TruthOf(values[value.a]);
    llvm::Value* const then = TruthOf(values[value.b]);
    llvm::Value* const otherwise = TruthOf(values[value.c]);
    if (condition == nullptr || then == nullptr || otherwise == nullptr) {
      return nullptr;
    }
    truth = builder.CreateOr(
        builder.CreateAnd(condition, then),
        builder.CreateAnd(builder.CreateNot(condition), otherwise));
  } else {
    return nullptr;
  }
  llvm::Value* const number =
      Select({&in, truth}, Constant(in, 1.0), Constant(in, 0.0)).value;
  if (!llvm::isa<llvm::Constant>(number)) truth_of_[number] = truth;
  return number;
}

llvm::Value* KernelCode::EmitElement(const Value& value, const Lanes& index) {
  const auto place = static_cast<size_t>(value.index);
  const auto size = static_cast<double>(program.arrays[place]->size());
  llvm::Value* const is_there = builder.CreateAnd(
      builder.CreateFCmpOGE(index.value, Like(index, 0.0).value),
      builder.CreateFCmpOLT(index.value, Like(index, size).value));
  const Lanes safe = Select({&in, is_there}, index, Like(index, 0.0));
  Type* const number = builder.getDoubleTy();
  llvm::Value* elements = nullptr;
  if (is_uniform_[value.a]) {
    llvm::Value* const one = builder.CreateFPToSI(
        builder.CreateExtractElement(safe.value, uint64_t{0}),
        builder.getInt64Ty());
    elements = Splat(in, Sample(arrays_[place], one)).value;
  } else {
    llvm::Value* const pointers = builder.CreateGEP(
        number, arrays_[place], builder.CreateFPToSI(safe.value, in.word()));
    elements =
        builder.CreateMaskedGather(in.number(), pointers, llvm::Align(8));
  }
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  return Select({&in, is_there}, {&in, elements}, Like(index, kNaN)).value;
}

void KernelCode::EmitInvariants(const std::vector<bool>& needed,
                                llvm::Value* parameters, size_t part_number,
                                LlvmValues& values, llvm::Value* noise) {
  values.assign(program.values.size(), nullptr);
  for (size_t id = 0; id < needed.size(); ++id) {
    const Value& value = program.values[id];
    if (!needed[id] || (rates[id] == Rate::kPerStep && noise == nullptr)) {
      continue;
    }
    if (value.op == Op::kNoise) {
      values[id] = Load(Place(noise, static_cast<size_t>(value.index), 0));
    } else if (value.op == Op::kConstant) {
      values[id] = Constant(in, value.constant).value;
    } else if (value.op == Op::kParameter) {
      values[id] = Load(
          Place(parameters, static_cast<size_t>(value.index), part_number));
    } else {
      values[id] = Emit(value, values);
    }
  }
}

llvm::Value* KernelCode::Following(const CallCode& call, llvm::Value* step) {
  llvm::Value* const one = builder.getInt64(1);
  llvm::Value* const next = builder.CreateAdd(step, one);
  return builder.CreateSelect(builder.CreateICmpSLT(next, call.n_steps), next,
                              step);
}

void KernelCode::EmitOwn(const CallCode& call, Part& part) {
  Type* const number = builder.getDoubleTy();
  for (size_t id = 0; id < part.own.size(); ++id) {
    if (!part.own[id]) continue;
    const Value& value = program.values[id];
    llvm::Value*& result = part.values[id];
    if (value.op == Op::kInput) {
      const auto index = static_cast<size_t>(value.index);
      result = Splat(in, Sample(call.inputs[index], part.step)).value;
    } else if (value.op == Op::kInputNext) {
      const auto index = static_cast<size_t>(value.index);
      result = Splat(in, Sample(call.inputs[index], Following(call, part.step)))
                   .value;
    } else if (value.op == Op::kNoise) {
      llvm::Value* const row =
          builder.CreateMul(builder.CreateSub(part.step, call.begin),
                            builder.getInt64(program.noises.size() * n_parts));
      result = Load(Place(builder.CreateGEP(in.number(), part.noise, row),
                          static_cast<size_t>(value.index), 0));
    } else if (value.op == Op::kStep) {
      result = Splat(in, builder.CreateSIToFP(part.step, number)).value;
    } else if (value.op == Op::kTime) {
      llvm::Value* const step = builder.CreateSIToFP(part.step, number);
      result = Splat(in, builder.CreateFMul(
                             step, llvm::ConstantFP::get(number, program.dt)))
                   .value;
    } else if (value.op == Op::kExprel && late[id]) {
      const Lanes x = {&in, part.values[value.a]};
      const Lanes near = elementary::ExprelNear(x);
      all_near_ = all_near_ ? *all_near_ & IsNear(x) : IsNear(x);
      part.late_exprels.push_back({static_cast<ValueId>(id), x, near});
      result = near.value;
    } else {
      result = Emit(value, part.values);
    }
  }
}

llvm::Value* KernelCode::AddUp(const CallCode& call, const Part& part, size_t i,
                               llvm::Value* sum) {
  llvm::Value* const target = Sample(call.targets[i], part.step);
  const Lanes d =
      Lanes{&in, part.values[program.observed[i]]} - Splat(in, target);
  if (options.variant == KernelVariant::kPlainErrors) {
    return Fma(d, d, Lanes{&in, sum}).value;
  }
  const Lanes weight = Splat(in, Sample(call.weights[i], part.step));
  const Lanes added = Fma(weight * d, d, Lanes{&in, sum});
  // Of all lanes, which is one instruction: of the one number it is six.
  llvm::Value* const counts =
      builder.CreateFCmpUNE(weight.value, Like(weight, 0.0).value);
  return Select({&in, counts}, added, {&in, sum}).value;
}

void KernelCode::RedoLate(const std::vector<Part*>& parts) {
  if (!all_near_) return;
  UnlessAll some_far(*all_near_);
  std::vector<LlvmValues> usual;
  std::vector<Lanes> xs, near;
  for (const Part* const part : parts) {
    usual.push_back(part->values);
    for (const Part::LateExprel& exprel : part->late_exprels) {
      xs.push_back(exprel.x);
      near.push_back(exprel.near);
    }
  }
  const std::vector<Lanes> exprels = ExprelsOf(xs, near);
  size_t next = 0;
  LlvmValues if_near, if_far;
  for (size_t k = 0; k < parts.size(); ++k) {
    Part& part = *parts[k];
    for (const Part::LateExprel& exprel : part.late_exprels) {
      part.values[exprel.id] = exprels[next++].value;
    }
    for (size_t id = 0; id < late.size(); ++id) {
      if (!late[id] || !part.own[id]) continue;
      const Value& value = program.values[id];
      if (value.op != Op::kExprel) part.values[id] = Emit(value, part.values);
      if_near.push_back(usual[k][id]);
      if_far.push_back(part.values[id]);
    }
  }
  const LlvmValues joined = some_far.End(if_near, if_far);
  next = 0;
  for (Part* const part : parts) {
    for (size_t id = 0; id < late.size(); ++id) {
      if (late[id] && part->own[id]) part->values[id] = joined[next++];
    }
  }
}

KernelCode::Mark KernelCode::Here() {
  BasicBlock* const block = builder.GetInsertBlock();
  return {block, block->empty() ? nullptr : &block->back()};
}

}  // namespace somafit::jit
