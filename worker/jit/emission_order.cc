#include "worker/jit/emission_order.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace somafit::jit {
namespace {

// Cycles from operands to result, roughly, on processors of the last decade.
int Latency(Op op) {
  switch (op) {
    case Op::kConstant:
    case Op::kParameter:
    case Op::kState:
    case Op::kInput:
    case Op::kTime:
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
      return 24;
    case Op::kExprel:
      return 45;
    case Op::kExp:
      return 55;
    default:
      return 100;
  }
}

}  // namespace

std::vector<ValueId> EmissionOrder(const Program& program,
                                   const std::vector<bool>& needed) {
  const std::vector<Rate> rates = Rates(program);
  const size_t n = program.values.size();
  const auto is_emitted = [&](ValueId id) {
    return id >= 0 && needed[id] && rates[id] == Rate::kPerStep;
  };
  // Cycles from the start of a value to the end of a later step.
  std::vector<int> height(n, 0);
  constexpr int kSteps = 2;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<int> after(program.states.size(), 0);
    for (size_t id = 0; id < n; ++id) {
      if (program.values[id].op == Op::kState) {
        after[program.values[id].index] = height[id];
      }
    }
    std::vector<int> below(n, 0);  // from its end
    for (size_t i = 0; i < program.next.size(); ++i) {
      below[program.next[i]] = std::max(below[program.next[i]], after[i]);
    }
    for (size_t id = n; id-- > 0;) {
      const Value& value = program.values[id];
      height[id] = below[id] + Latency(value.op);
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) below[operand] = std::max(below[operand], height[id]);
      }
    }
  }
  std::vector<int> waits_for(n, 0);
  std::vector<std::vector<ValueId>> users(n);
  // The highest first; among equals the first.
  std::priority_queue<std::pair<int, ValueId>> ready;
  for (size_t i = 0; i < n; ++i) {
    const auto id = static_cast<ValueId>(i);
    if (!is_emitted(id)) continue;
    const Value& value = program.values[i];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (!is_emitted(operand)) continue;
      ++waits_for[i];
      users[operand].push_back(id);
    }
    if (waits_for[i] == 0) ready.emplace(height[i], -id);
  }
  std::vector<ValueId> order;
  while (!ready.empty()) {
    const ValueId id = -ready.top().second;
    ready.pop();
    order.push_back(id);
    for (const ValueId user : users[id]) {
      if (--waits_for[user] == 0) ready.emplace(height[user], -user);
    }
  }
  return order;
}

}  // namespace somafit::jit
