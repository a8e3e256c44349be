#include "worker/core/ir/passes.h"

namespace somafit {
namespace {

bool IsDiscontinuous(Op op) {
  switch (op) {
    case Op::kFloor:
    case Op::kCeil:
    case Op::kSign:
    case Op::kFloorDivide:
    case Op::kModulo:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kEqual:
    case Op::kPoisson:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<bool> FeedsDiscontinuity(const Program& program) {
  std::vector<bool> feeds(program.values.size(), false);
  for (size_t id = feeds.size(); id-- > 0;) {
    const Value& value = program.values[id];
    if (!feeds[id] && !IsDiscontinuous(value.op)) continue;
    if (value.op == Op::kUpdated) continue;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) feeds[operand] = true;
    }
  }
  return feeds;
}

}  // namespace somafit
