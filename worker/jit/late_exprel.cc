#include "worker/jit/late_exprel.h"

namespace somafit::jit {
namespace {

constexpr size_t kMostDependents = 8;
// One far lane of one of them is enough to do all again.
constexpr int kMostLate = 16;

bool IsCheap(Op op) {
  switch (op) {
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kFma:
    case Op::kNegate:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<bool> Late(const Program& program, const std::vector<bool>& needed,
                       const std::vector<bool>& front) {
  const size_t n = program.values.size();
  const std::vector<Rate> rates = Rates(program);
  std::vector<std::vector<ValueId>> users(n);
  for (size_t id = 0; id < n; ++id) {
    if (!needed[id]) continue;
    const Value& value = program.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand < 0 || front[operand] != front[id]) continue;
      users[operand].push_back(static_cast<ValueId>(id));
    }
  }
  std::vector<bool> late(n, false);
  int n_late = 0;
  for (size_t id = 0; id < n && n_late < kMostLate; ++id) {
    if (!needed[id] || rates[id] != Rate::kPerStep ||
        program.values[id].op != Op::kExprel) {
      continue;
    }
    std::vector<ValueId> dependents = {static_cast<ValueId>(id)};
    bool few = true;
    for (size_t i = 0; few && i < dependents.size(); ++i) {
      for (const ValueId user : users[dependents[i]]) {
        few &= IsCheap(program.values[user].op);
        dependents.push_back(user);
      }
      few &= dependents.size() <= kMostDependents + 1;
    }
    if (!few) continue;
    ++n_late;
    for (const ValueId dependent : dependents) late[dependent] = true;
  }
  return late;
}

}  // namespace somafit::jit
