#include "worker/jit/ahead.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace somafit::jit {
namespace {

// Cycles from operands to result, roughly.
int Latency(Op op) {
  switch (op) {
    case Op::kConstant:
    case Op::kParameter:
    case Op::kState:
    case Op::kInput:
    case Op::kTime:
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
      return 4;
    case Op::kSqrt:
    case Op::kDivide:
      return 30;
    case Op::kExprel:
      return 40;
    case Op::kExp:
      return 60;
    default:
      return 100;
  }
}

// What is done ahead lies between these depths: an exponential of the state and
// a little arithmetic. More leaves too many values to carry from step to step.
constexpr int kLeast = 50;
constexpr int kMost = 70;

constexpr int kNotAlone = -1;

// Cycles from the state to each value that depends on it and on nothing else
// that changes; kNotAlone for others.
std::vector<int> Depths(const Program& program, const std::vector<Rate>& rates,
                        size_t state) {
  std::vector<int> depths(program.values.size(), kNotAlone);
  for (size_t id = 0; id < depths.size(); ++id) {
    const Value& value = program.values[id];
    if (rates[id] != Rate::kPerStep) continue;
    if (value.op == Op::kState) {
      if (static_cast<size_t>(value.index) == state) depths[id] = 0;
      continue;
    }
    int depth = 0;
    bool alone = OpArity(value.op) > 0;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand < 0 || rates[operand] != Rate::kPerStep) continue;
      alone &= depths[operand] != kNotAlone;
      depth = std::max(depth, depths[operand]);
    }
    if (alone) depths[id] = depth + Latency(value.op);
  }
  return depths;
}

// A state, and the depths of what depends on it alone.
struct Leader {
  size_t state = 0;
  std::vector<int> depths;
};

// The state on which the longest chain depends, of those whose own next value
// does not wait for such a chain.
std::optional<Leader> FindLeader(const Program& program,
                                 const std::vector<Rate>& rates) {
  std::optional<Leader> leader;
  int longest = kLeast - 1;
  for (size_t state = 0; state < program.states.size(); ++state) {
    std::vector<int> depths = Depths(program, rates, state);
    const int deepest = *std::max_element(depths.begin(), depths.end());
    if (deepest <= longest) continue;
    std::vector<bool> waited_for(depths.size(), false);
    waited_for[program.next[state]] = true;
    bool waits = false;
    for (size_t id = depths.size(); id-- > 0;) {
      if (!waited_for[id]) continue;
      waits |= depths[id] >= kLeast;
      const Value& value = program.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) waited_for[operand] = true;
      }
    }
    if (waits) continue;
    longest = deepest;
    leader = Leader{state, std::move(depths)};
  }
  return leader;
}

}  // namespace

std::optional<AheadProgram> ComputeAhead(const Program& program) {
  // In large programs there is enough to lie side by side.
  constexpr size_t kLargest = 2000;
  if (program.values.size() > kLargest) return std::nullopt;
  const std::vector<Rate> rates = Rates(program);
  const std::optional<Leader> leader = FindLeader(program, rates);
  if (!leader) return std::nullopt;
  const size_t n = program.values.size();
  std::vector<bool> is_ahead(n);
  for (size_t id = 0; id < n; ++id) {
    is_ahead[id] = leader->depths[id] >= kLeast && leader->depths[id] <= kMost;
  }
  std::vector<bool> is_carried(n, false);  // what others use of them
  for (const auto* ids : {&program.next, &program.observed}) {
    for (const ValueId id : *ids) is_carried[id] = is_ahead[id];
  }
  for (size_t id = 0; id < n; ++id) {
    if (is_ahead[id]) continue;
    const Value& value = program.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0 && is_ahead[operand]) is_carried[operand] = true;
    }
  }

  AheadProgram ahead = {program, {}};
  Program& result = ahead.program;
  // Where the values ahead are if the leader is `instead`.
  const auto copy = [&](ValueId instead) {
    std::vector<ValueId> copies(n);
    for (size_t id = 0; id < n; ++id) {
      copies[id] = static_cast<ValueId>(id);
      const int depth = leader->depths[id];
      if (depth == kNotAlone || depth > kMost) continue;
      Value value = program.values[id];
      if (value.op == Op::kState) {
        copies[id] = instead;
        continue;
      }
      for (ValueId* const operand : {&value.a, &value.b, &value.c}) {
        if (*operand >= 0) *operand = copies[*operand];
      }
      copies[id] = static_cast<ValueId>(result.values.size());
      result.values.push_back(value);
    }
    return copies;
  };
  const std::vector<ValueId> next = copy(program.next[leader->state]);
  const std::vector<ValueId> initial = copy(program.initial[leader->state]);
  for (size_t id = 0; id < n; ++id) {
    if (!is_carried[id]) continue;
    Value carried;
    carried.op = Op::kState;
    carried.index = static_cast<int32_t>(result.states.size());
    result.values[id] = carried;
    result.states.push_back(absl::StrCat("ahead ", id));
    result.next.push_back(next[id]);
    result.initial.push_back(initial[id]);
    ahead.values.push_back(static_cast<ValueId>(id));
  }
  if (ahead.values.empty()) return std::nullopt;
  return ahead;
}

}  // namespace somafit::jit
