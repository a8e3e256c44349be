#include <utility>

#include "worker/jit/interleave.h"
#include "worker/jit/late_exprel.h"
#include "worker/jit/loops.h"

namespace somafit::jit {
namespace {

using llvm::BasicBlock;

constexpr size_t kParts = 2;

// Round r is the back stage of part r mod 2 in step r / 2 and the front stage
// of the other part in step (r + 1) / 2. The first round is 2 begin - 1: its
// back stage finds nothing from a front stage and its results are dropped. So
// are those of the last round's front stage; either takes a step that there is.
class Pipeline {
 public:
  Pipeline(KernelCode& code, const CallCode& call,
           const std::vector<bool>& front)
      : code_(code),
        call_(call),
        builder_(code.builder),
        program_(code.program),
        is_front_(front),
        needed_(code.Needed(code.Results())) {}

  void Emit() {
    code_.late = Late(program_, needed_, is_front_);
    FindOwn();
    EmitFirst();
    BasicBlock* const entry = builder_.GetInsertBlock();
    llvm::Function* const function = entry->getParent();
    llvm::LLVMContext& context = builder_.getContext();
    BasicBlock* const body = BasicBlock::Create(context, "round", function);
    BasicBlock* const done = BasicBlock::Create(context, "done", function);
    first_ = builder_.CreateShl(call_.begin, 1);
    llvm::Value* const end = builder_.CreateShl(call_.end, 1);
    llvm::Value* const one = builder_.getInt64(1);
    llvm::Value* const before_first = builder_.CreateSub(first_, one);
    builder_.CreateCondBr(builder_.CreateICmpSLT(call_.begin, call_.end), body,
                          done);
    builder_.SetInsertPoint(body);
    auto* const round = builder_.CreatePHI(builder_.getInt64Ty(), 2);
    round->addIncoming(before_first, entry);
    EmitCrossing(entry);
    llvm::Value* const following = builder_.CreateAdd(round, one);
    EmitRound(round, following);
    BasicBlock* const last = builder_.GetInsertBlock();
    round->addIncoming(following, last);
    for (const auto& [id, phi] : crossing_) {
      phi->addIncoming(front_.values[id], last);
    }
    builder_.CreateCondBr(builder_.CreateICmpSLT(following, end), body, done);
    builder_.SetInsertPoint(done);
    EmitEnd();
  }

 private:
  // Memory has a row for each state, sum and invariant taken, in that order,
  // with the lanes of both parts.
  llvm::Value* OfPart(llvm::Value* rows, llvm::Value* part) {
    return builder_.CreateGEP(code_.in.number(), rows, part);
  }
  llvm::Value* Row(llvm::Value* of_part, size_t row) {
    return code_.Place(of_part, row, 0);
  }
  llvm::Value* Memory(size_t n_rows) {
    auto* const memory = builder_.CreateAlloca(
        code_.in.number(), builder_.getInt64(kParts * n_rows));
    memory->setAlignment(llvm::Align(64));
    return memory;
  }
  bool HasRow(size_t id) const {
    return (taken_by_front_[id] || taken_by_back_[id]) &&
           code_.rates[id] != Rate::kPerStep &&
           program_.values[id].op != Op::kConstant;
  }

  void EmitFirst() {
    const size_t n_results = code_.n_states + code_.n_compared;
    row_.resize(needed_.size(), 0);
    size_t n_rows = n_results;
    for (size_t id = 0; id < needed_.size(); ++id) {
      if (HasRow(id)) row_[id] = n_rows++;
    }
    rows_ = Memory(n_rows);
    dropped_ = Memory(n_results);
    for (size_t p = 0; p < kParts; ++p) {
      const auto put = [&](llvm::Value* lanes, size_t row) {
        code_.Store(lanes, code_.Place(rows_, row, p));
      };
      for (size_t i = 0; i < code_.n_states; ++i) {
        put(code_.Load(code_.Place(call_.states, i, p)), i);
      }
      for (size_t i = 0; i < code_.n_compared; ++i) {
        put(code_.Load(code_.Place(call_.sums, i, p)), code_.n_states + i);
      }
      LlvmValues invariants;
      code_.EmitInvariants(needed_, call_.parameters, p, invariants);
      for (size_t id = 0; id < needed_.size(); ++id) {
        if (HasRow(id)) put(invariants[id], row_[id]);
      }
    }
  }

  // What each stage computes, and what it takes from elsewhere.
  void FindOwn() {
    const size_t n = needed_.size();
    for (Part* const part : {&front_, &back_}) {
      part->own.assign(n, false);
      part->values.assign(n, nullptr);
    }
    taken_by_front_.assign(n, false);
    taken_by_back_.assign(n, false);
    for (size_t id = 0; id < n; ++id) {
      if (!needed_[id] || !code_.IsComputed(id)) continue;
      (is_front_[id] ? front_ : back_).own[id] = true;
      const Value& value = program_.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand < 0) continue;
        (is_front_[id] ? taken_by_front_ : taken_by_back_)[operand] = true;
      }
    }
    for (const ValueId id : code_.Results()) taken_by_back_[id] = true;
  }

  void EmitCrossing(BasicBlock* entry) {
    for (size_t id = 0; id < needed_.size(); ++id) {
      if (!taken_by_back_[id] || !front_.own[id]) continue;
      auto* const phi = builder_.CreatePHI(code_.in.number(), 2);
      phi->addIncoming(llvm::Constant::getNullValue(code_.in.number()), entry);
      crossing_.emplace_back(static_cast<ValueId>(id), phi);
      back_.values[id] = phi;
    }
  }

  void LoadTaken(const std::vector<bool>& taken, llvm::Value* rows,
                 Part& part) {
    for (size_t id = 0; id < taken.size(); ++id) {
      if (!taken[id] || part.own[id] || part.values[id] != nullptr) continue;
      const Value& value = program_.values[id];
      part.values[id] =
          value.op == Op::kConstant ? Constant(code_.in, value.constant).value
          : value.op == Op::kState
              ? code_.Load(Row(rows, static_cast<size_t>(value.index)))
              : code_.Load(Row(rows, row_[id]));
    }
  }

  void EmitRound(llvm::Value* round, llvm::Value* following) {
    llvm::Value* const one = builder_.getInt64(1);
    llvm::Value* const back_part = builder_.CreateAnd(round, one);
    llvm::Value* const front_part = builder_.CreateXor(back_part, one);
    llvm::Value* const is_before = builder_.CreateICmpSLT(round, first_);
    back_.step = builder_.CreateSelect(is_before, call_.begin,
                                       builder_.CreateAShr(round, one));
    llvm::Value* const front_step = builder_.CreateAShr(following, one);
    front_.step =
        builder_.CreateSelect(builder_.CreateICmpSLT(front_step, call_.end),
                              front_step, builder_.CreateSub(call_.end, one));
    front_.noise = OfPart(call_.noise, front_part);
    back_.noise = OfPart(call_.noise, back_part);
    llvm::Value* const front_rows = OfPart(rows_, front_part);
    llvm::Value* const back_rows = OfPart(rows_, back_part);
    llvm::Value* const results = builder_.CreateSelect(
        is_before, OfPart(dropped_, back_part), back_rows);

    const KernelCode::Mark before = code_.Here();
    LoadTaken(taken_by_front_, front_rows, front_);
    LoadTaken(taken_by_back_, back_rows, back_);
    code_.EmitOwn(call_, front_);
    code_.EmitOwn(call_, back_);
    back_.sums.assign(code_.n_compared, nullptr);
    const auto add_up = [&](size_t i) {
      back_.sums[i] = code_.AddUp(
          call_, back_, i, code_.Load(Row(back_rows, code_.n_states + i)));
    };
    for (size_t i = 0; i < code_.n_compared; ++i) {
      if (!code_.late[program_.observed[i]]) add_up(i);
    }
    InterleaveFrom(before);
    code_.RedoLate({&front_, &back_});
    for (size_t i = 0; i < code_.n_compared; ++i) {
      if (back_.sums[i] == nullptr) add_up(i);
    }
    if (code_.options.variant == KernelVariant::kRecord) EmitRecord(back_part);
    for (size_t i = 0; i < code_.n_states; ++i) {
      code_.Store(back_.values[program_.next[i]], Row(results, i));
    }
    for (size_t i = 0; i < code_.n_compared; ++i) {
      code_.Store(back_.sums[i], Row(results, code_.n_states + i));
    }
  }

  void InterleaveFrom(const KernelCode::Mark& mark) {
    std::vector<Carried> carried;
    for (size_t id = 0; id < needed_.size(); ++id) {
      const Value& value = program_.values[id];
      if (value.op != Op::kState || front_.values[id] == nullptr) continue;
      const ValueId next = program_.next[static_cast<size_t>(value.index)];
      carried.push_back({front_.values[id], back_.values[next], 0});
    }
    for (const auto& [id, phi] : crossing_) {
      carried.push_back({phi, front_.values[id], 0});
    }
    InterleaveBehind(*mark.block, mark.last, carried, code_.in.width);
  }

  // The first round's row is written again when the part's first step is done.
  void EmitRecord(llvm::Value* back_part) {
    const size_t n_outputs = program_.outputs.size();
    llvm::Value* const row =
        builder_.CreateMul(builder_.CreateSub(back_.step, call_.begin),
                           builder_.getInt64(kParts * n_outputs));
    llvm::Value* const array = OfPart(
        builder_.CreateGEP(code_.in.number(), call_.record, row), back_part);
    for (size_t i = 0; i < n_outputs; ++i) {
      code_.Store(back_.values[program_.observed[i]], Row(array, i));
    }
  }

  void EmitEnd() {
    for (size_t p = 0; p < kParts; ++p) {
      const auto copy = [&](size_t row, llvm::Value* place) {
        code_.Store(code_.Load(code_.Place(rows_, row, p)), place);
      };
      for (size_t i = 0; i < code_.n_states; ++i) {
        copy(i, code_.Place(call_.states, i, p));
      }
      for (size_t i = 0; i < code_.n_compared; ++i) {
        copy(code_.n_states + i, code_.Place(call_.sums, i, p));
      }
    }
    builder_.CreateRetVoid();
  }

  KernelCode& code_;
  const CallCode& call_;
  llvm::IRBuilder<>& builder_;
  const Program& program_;
  const std::vector<bool>& is_front_;
  const std::vector<bool> needed_;
  std::vector<size_t> row_;  // of invariants
  llvm::Value* rows_ = nullptr;
  llvm::Value* dropped_ = nullptr;  // where results go that nobody wants
  llvm::Value* first_ = nullptr;    // 2 begin
  Part front_, back_;
  std::vector<bool> taken_by_front_, taken_by_back_;
  std::vector<std::pair<ValueId, llvm::PHINode*>> crossing_;
};

}  // namespace

void EmitPipeline(KernelCode& code, const CallCode& call,
                  const std::vector<bool>& front) {
  Pipeline(code, call, front).Emit();
}

}  // namespace somafit::jit
