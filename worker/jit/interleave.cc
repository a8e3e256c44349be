#include "worker/jit/interleave.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/IntrinsicInst.h>

#include "worker/core/base/check.h"

namespace somafit::jit {
namespace {

// Of an instruction on a whole vector of lanes, in cycles times kUnits.
struct Cost {
  int64_t latency = 0;  // from operands to result
  int64_t ports = 0;    // how long it keeps both arithmetic ports
  int64_t divider = 0;
};

constexpr int64_t kUnits = 8;

// What waits for a branch at the block's end, roughly.
constexpr int64_t kBehindBranch = 100 * kUnits;

// Each part of a block begins when the one before has done a third of all, of
// four parts a quarter: measured best.
int64_t DelayOf(int part, int n_parts, int64_t busy) {
  constexpr int kLeast = 3;
  return busy * part / std::max(kLeast, n_parts);
}

// How far an instruction may be moved forward. More than a usual model's step
// has; in larger ones it bounds how many values live at a time.
constexpr size_t kWindow = 640;

// Roughly, on processors of the last decade, whose two ports do a register each
// in a cycle.
Cost CostOf(const llvm::Instruction& instruction, int lanes) {
  constexpr int64_t whole = kUnits / 2;
  if (!instruction.getType()->isVectorTy()) {
    if (instruction.getOpcode() == llvm::Instruction::Load) {
      return {5 * kUnits, 0, 0};
    }
    return {kUnits, 0, 0};
  }
  switch (instruction.getOpcode()) {
    case llvm::Instruction::BitCast:
    case llvm::Instruction::ShuffleVector:
    case llvm::Instruction::InsertElement:
      return {};
    case llvm::Instruction::Load:
      return {5 * kUnits, 0, 0};
    case llvm::Instruction::FDiv:
      return {24 * kUnits, whole, kUnits * 2 * lanes};
    case llvm::Instruction::Call: {
      const auto* const intrinsic =
          llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
      if (intrinsic == nullptr) return {60 * kUnits, 30 * whole, 0};
      if (intrinsic->getIntrinsicID() == llvm::Intrinsic::sqrt) {
        return {30 * kUnits, whole, kUnits * 3 * lanes};
      }
      return {4 * kUnits, whole, 0};
    }
    case llvm::Instruction::FAdd:
    case llvm::Instruction::FSub:
    case llvm::Instruction::FMul:
      return {4 * kUnits, whole, 0};
    case llvm::Instruction::FCmp:
      return {3 * kUnits, whole, 0};
    default:
      return {kUnits, whole, 0};
  }
}

class Schedule {
 public:
  Schedule(llvm::BasicBlock& block, const llvm::Instruction* after,
           const std::vector<Carried>& carried, int lanes)
      : block_(block) {
    bool before = after != nullptr;
    for (llvm::Instruction& instruction : block) {
      const bool skipped = before;
      before &= &instruction != after;
      if (skipped) continue;
      if (llvm::isa<llvm::PHINode>(instruction)) continue;
      if (instruction.isTerminator()) continue;
      index_[&instruction] = nodes_.size();
      nodes_.push_back({&instruction, CostOf(instruction, lanes), {}});
    }
    AddUses();
    int64_t busy = 0;
    for (const Node& node : nodes_) busy += node.cost.ports;
    int n_parts = 1;
    for (const Carried& state : carried) {
      n_parts = std::max(n_parts, state.part + 1);
    }
    for (const Carried& state : carried) {
      if (IsHere(state.at_start)) {
        const int64_t delay = DelayOf(state.part, n_parts, busy);
        carried_.push_back({state.at_start, Find(state.next), delay, delay});
      }
    }
    FindHeights();
  }

  void Run() {
    // When states are there depends on the order, and the order on that.
    constexpr int kTimes = 3;
    for (int i = 0; i < kTimes; ++i) Order();
    llvm::Instruction* const last = block_.getTerminator();
    const auto end = last == nullptr ? block_.end() : last->getIterator();
    std::vector<bool> is_placed(nodes_.size(), false);
    const auto place = [&](size_t i) {
      if (is_placed[i]) return;
      is_placed[i] = true;
      nodes_[i].instruction->moveBefore(block_, end);
    };
    for (const size_t i : order_) {
      // Loads come just before their first user, which often takes them from
      // memory itself.
      if (IsLoad(nodes_[i]) && !nodes_[i].users.empty()) continue;
      for (const llvm::Value* const operand :
           nodes_[i].instruction->operands()) {
        const size_t found = Find(operand);
        if (found != kNone) place(found);
      }
      place(i);
    }
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct Node {
    llvm::Instruction* instruction;
    Cost cost;
    std::vector<size_t> users;
    size_t operands = 0;  // of this block
    int64_t height = 0;   // from its start to the end of a later step
    int64_t there = 0;    // when its operands are
  };
  struct State {
    const llvm::Value* at_start;
    size_t next;  // kNone: computed elsewhere
    int64_t there;
    int64_t delay;  // at least so late
  };

  bool IsHere(const llvm::Value* value) const {
    const auto* const instruction = llvm::dyn_cast<llvm::Instruction>(value);
    return instruction != nullptr && instruction->getParent() == &block_;
  }

  static bool IsLoad(const Node& node) {
    return llvm::isa<llvm::LoadInst>(node.instruction);
  }

  size_t Find(const llvm::Value* value) const {
    const auto* const instruction = llvm::dyn_cast<llvm::Instruction>(value);
    const auto found = index_.find(instruction);
    return found == index_.end() ? kNone : found->second;
  }

  void AddUse(size_t operand, size_t user) {
    nodes_[operand].users.push_back(user);
    ++nodes_[user].operands;
  }

  void AddUses() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const llvm::Instruction& instruction = *nodes_[i].instruction;
      // Else memory would order them too.
      SOMAFIT_CHECK(!instruction.mayWriteToMemory());
      for (const llvm::Value* const operand : instruction.operands()) {
        const size_t found = Find(operand);
        if (found != kNone) AddUse(found, i);
      }
    }
  }

  void FindHeights() {
    size_t last = kNone;  // what the terminator waits for
    if (const llvm::Instruction* const end = block_.getTerminator()) {
      for (const llvm::Value* const operand : end->operands()) {
        const size_t found = Find(operand);
        if (found != kNone) last = found;
      }
    }
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds; ++round) {
      llvm::DenseMap<const llvm::Value*, int64_t> of_state;
      for (const Node& node : nodes_) {
        if (IsLoad(node)) of_state[node.instruction] = node.height;
        for (const llvm::Value* const operand : node.instruction->operands()) {
          if (!llvm::isa<llvm::PHINode>(operand)) continue;
          int64_t& height = of_state[operand];
          height = std::max(height, node.height);
        }
      }
      std::vector<int64_t> below(nodes_.size(), 0);
      for (const State& state : carried_) {
        if (state.next == kNone) continue;
        below[state.next] =
            std::max(below[state.next], of_state.lookup(state.at_start));
      }
      if (last != kNone) below[last] = kBehindBranch;
      // Users come after what they use.
      for (size_t i = nodes_.size(); i-- > 0;) {
        for (const size_t user : nodes_[i].users) {
          below[i] = std::max(below[i], nodes_[user].height);
        }
        nodes_[i].height = below[i] + nodes_[i].cost.latency;
      }
    }
  }

  // Issues all instructions, each when its operands and a port are free.
  void Order() {
    using Entry = std::pair<int64_t, size_t>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> waiting;
    std::priority_queue<std::pair<int64_t, int64_t>> ready;  // height, -index
    // Ready but beyond the window.
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> distant;
    std::vector<bool> issued(nodes_.size(), false);
    size_t oldest = 0;  // not issued
    std::vector<size_t> missing(nodes_.size());
    std::vector<int64_t> done(nodes_.size());
    llvm::DenseMap<const llvm::Value*, int64_t> states;
    for (const State& state : carried_) states[state.at_start] = state.there;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].there = states.lookup(nodes_[i].instruction);
      for (const llvm::Value* const operand :
           nodes_[i].instruction->operands()) {
        nodes_[i].there = std::max(nodes_[i].there, states.lookup(operand));
      }
      missing[i] = nodes_[i].operands;
      if (missing[i] == 0) waiting.emplace(nodes_[i].there, i);
    }
    order_.clear();
    int64_t now = 0, divider_free = 0;
    while (order_.size() < nodes_.size()) {
      while (!waiting.empty() && waiting.top().first <= now) {
        distant.push(waiting.top().second);
        waiting.pop();
      }
      while (oldest < nodes_.size() && issued[oldest]) ++oldest;
      while (!distant.empty() && distant.top() < oldest + kWindow) {
        const size_t i = distant.top();
        distant.pop();
        ready.emplace(nodes_[i].height, -static_cast<int64_t>(i));
      }
      if (ready.empty()) {
        now = waiting.top().first;
        continue;
      }
      const auto i = static_cast<size_t>(-ready.top().second);
      ready.pop();
      order_.push_back(i);
      issued[i] = true;
      const Cost& cost = nodes_[i].cost;
      int64_t start = now;
      if (cost.divider > 0) {
        start = std::max(now, divider_free);
        divider_free = start + cost.divider;
      }
      // A unit that is kept long also delivers late.
      done[i] = start + (std::max(cost.ports, cost.divider) / 2) + cost.latency;
      now += cost.ports;
      for (const size_t user : nodes_[i].users) {
        nodes_[user].there = std::max(nodes_[user].there, done[i]);
        if (--missing[user] == 0) waiting.emplace(nodes_[user].there, user);
      }
    }
    // The next step begins when this one's last instruction was issued.
    for (State& state : carried_) {
      if (state.next != kNone) {
        state.there = std::max<int64_t>(done[state.next] - now, state.delay);
      }
    }
  }

  llvm::BasicBlock& block_;
  std::vector<Node> nodes_;
  llvm::DenseMap<const llvm::Instruction*, size_t> index_;
  std::vector<State> carried_;
  std::vector<size_t> order_;
};

}  // namespace

void InterleaveBehind(llvm::BasicBlock& block, const llvm::Instruction* after,
                      const std::vector<Carried>& carried, int lanes) {
  Schedule(block, after, carried, lanes).Run();
  for (llvm::BasicBlock* next = block.getNextNode(); next != nullptr;
       next = next->getNextNode()) {
    Schedule(*next, nullptr, carried, lanes).Run();
  }
}

}  // namespace somafit::jit
