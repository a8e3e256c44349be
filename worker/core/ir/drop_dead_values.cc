#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

Program DropDeadValues(Program program) {
  std::vector<bool> alive(program.values.size(), false);
  for (const auto* ids : {&program.initial, &program.next, &program.observed}) {
    for (const ValueId id : *ids) alive[id] = true;
  }
  for (size_t id = program.values.size(); id-- > 0;) {
    if (!alive[id]) continue;
    const Value& value = program.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) alive[operand] = true;
    }
  }
  return Rebuild(program, [&alive](ValueId id, const Value& value,
                                   const std::vector<ValueId>& renamed,
                                   ProgramBuilder& builder) {
    return alive[id] ? builder.Copy(value, renamed, /*fold=*/false)
                     : ValueId{-1};
  });
}

}  // namespace somafit
