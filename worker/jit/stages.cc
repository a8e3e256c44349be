#include "worker/jit/stages.h"

#include <algorithm>
#include <utility>

namespace somafit::jit {
namespace {

// Cycles from operands to result, roughly.
int Latency(Op op) {
  switch (op) {
    case Op::kConstant:
    case Op::kParameter:
    case Op::kState:
    case Op::kInput:
    case Op::kInputNext:
    case Op::kTime:
    case Op::kStep:
    case Op::kNoise:
    case Op::kInner:
    case Op::kElapsed:
    case Op::kSolved:
    case Op::kHold:
    case Op::kUpdated:
      return 0;
    case Op::kNegate:
    case Op::kAbs:
      return 1;
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kFma:
    case Op::kFloor:
    case Op::kCeil:
    case Op::kSign:
    case Op::kClip:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kEqual:
    case Op::kSelect:
      return 4;
    case Op::kSqrt:
    case Op::kDivide:
    case Op::kFloorDivide:
    case Op::kModulo:
      return 30;
    case Op::kExprel:
      return 40;
    case Op::kExp:
      return 60;
    default:
      return 100;
  }
}

bool IsCheap(Op op) { return Latency(op) <= 4; }

// Cycles for which an operation keeps the divider. A far exprel has a division
// too, which is seldom done.
int DividerCycles(Op op) {
  switch (op) {
    case Op::kDivide:
    case Op::kSqrt:
    case Op::kFloorDivide:
    case Op::kModulo:
    case Op::kBernoulli:
    case Op::kTanh:
    case Op::kSinh:
    case Op::kCosh:
      return 16;
    default:
      return 0;
  }
}

// A value carried from one stage to the next is mostly stored and loaded.
constexpr int kCrossingCycles = 2;

// Steps that take less have enough to do side by side.
constexpr int kShortest = 100;

class Cut {
 public:
  Cut(const Program& program, const std::vector<bool>& needed)
      : program_(program), n_(needed.size()), computed_(n_), depth_(n_, 0) {
    const std::vector<Rate> rates = Rates(program);
    for (size_t id = 0; id < n_; ++id) {
      computed_[id] = needed[id] && rates[id] == Rate::kPerStep &&
                      program.values[id].op != Op::kState;
      if (!computed_[id]) continue;
      ForOperands(id, [&](size_t operand) {
        depth_[id] = std::max(depth_[id], depth_[operand]);
      });
      depth_[id] += Latency(program.values[id].op);
    }
  }

  int whole() const {
    return depth_.empty() ? 0 : *std::max_element(depth_.begin(), depth_.end());
  }
  std::vector<int> Depths() const {
    std::vector<int> depths(depth_);
    std::sort(depths.begin(), depths.end());
    depths.erase(std::unique(depths.begin(), depths.end()), depths.end());
    return depths;
  }

  // All that is there `depth` cycles after the states are, but for what the
  // back stage finds cheaper to compute than to take over.
  std::vector<bool> FrontUpTo(int depth) const {
    std::vector<bool> front(n_);
    for (size_t id = 0; id < n_; ++id) {
      front[id] = computed_[id] && depth_[id] <= depth;
    }
    std::vector<int> in_front(n_, 0);  // users
    std::vector<int> in_back = UsersInBack(front);
    for (size_t id = 0; id < n_; ++id) {
      if (!front[id]) continue;
      ForOperands(id, [&](size_t operand) { ++in_front[operand]; });
    }
    for (size_t id = n_; id-- > 0;) {
      if (!front[id] || in_front[id] > 0) continue;
      if (!IsCheap(program_.values[id].op)) continue;
      int more = 0;  // that would have to cross instead
      ForOperands(id, [&](size_t operand) {
        more += front[operand] && in_back[operand] == 0;
      });
      if (more > 1) continue;
      front[id] = false;
      ForOperands(id, [&](size_t operand) {
        --in_front[operand];
        ++in_back[operand];
      });
    }
    return front;
  }

  // Cycles of the slower stage, roughly.
  int CyclesOf(const std::vector<bool>& front) const {
    const std::vector<int> in_back = UsersInBack(front);
    std::vector<int> behind(n_, 0);  // cycles since the stage began
    int crossing = 0, longest[2] = {0, 0}, divider[2] = {0, 0};
    for (size_t id = 0; id < n_; ++id) {
      if (!computed_[id]) continue;
      if (front[id] && in_back[id] > 0) crossing += kCrossingCycles;
      ForOperands(id, [&](size_t operand) {
        if (front[operand] != front[id]) return;
        behind[id] = std::max(behind[id], behind[operand]);
      });
      behind[id] += Latency(program_.values[id].op);
      const size_t stage = front[id] ? 0 : 1;
      longest[stage] = std::max(longest[stage], behind[id]);
      divider[stage] += DividerCycles(program_.values[id].op);
    }
    // Divisions of a stage mostly wait for the same exponential.
    return std::max(longest[0] + divider[0], longest[1] + divider[1]) +
           crossing;
  }

 private:
  template <typename Use>
  void ForOperands(size_t id, const Use& use) const {
    const Value& value = program_.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) use(static_cast<size_t>(operand));
    }
  }

  std::vector<int> UsersInBack(const std::vector<bool>& front) const {
    std::vector<int> users(n_, 0);
    for (const auto* ids : {&program_.next, &program_.observed}) {
      for (const ValueId id : *ids) ++users[id];
    }
    for (size_t id = 0; id < n_; ++id) {
      if (!computed_[id] || front[id]) continue;
      ForOperands(id, [&](size_t operand) { ++users[operand]; });
    }
    return users;
  }

  const Program& program_;
  const size_t n_;
  std::vector<bool> computed_;  // in every step, and no state
  std::vector<int> depth_;      // cycles since states are there
};

}  // namespace

std::optional<std::vector<bool>> FrontStage(const Program& program,
                                            const std::vector<bool>& needed) {
  const Cut cut(program, needed);
  if (cut.whole() < kShortest) return std::nullopt;
  // In a large program any fine cut will do, and each costs a pass over it.
  constexpr size_t kMostTried = 200;
  const std::vector<int> depths = cut.Depths();
  const size_t stride = 1 + (depths.size() / kMostTried);
  std::vector<bool> best;
  int least = 0;
  for (size_t i = 0; i < depths.size(); i += stride) {
    std::vector<bool> front = cut.FrontUpTo(depths[i]);
    const int cycles = cut.CyclesOf(front);
    if (!best.empty() && cycles >= least) continue;
    best = std::move(front);
    least = cycles;
  }
  return best;
}

}  // namespace somafit::jit
