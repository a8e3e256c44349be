#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

Program DropDeadValues(Program program) {
  const std::vector<NoiseKind> noises = program.noises;
  std::vector<bool> alive(program.values.size(), false);
  for (const ValueId id : program.initial) alive[id] = true;
  for (const ValueId id : StepResults(program)) alive[id] = true;
  for (size_t id = program.values.size(); id-- > 0;) {
    if (!alive[id]) continue;
    const Value& value = program.values[id];
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) alive[operand] = true;
    }
  }
  for (NoiseKind& noise : program.noises) noise = NoiseKind::kUnused;
  for (size_t id = 0; id < alive.size(); ++id) {
    const Value& value = program.values[id];
    if (!alive[id] || value.op != Op::kNoise) continue;
    program.noises[value.index] = noises[value.index];
  }
  return Rebuild(program, [&alive](ValueId id, const Value& value,
                                   const std::vector<ValueId>& renamed,
                                   ProgramBuilder& builder) {
    return alive[id] ? builder.Copy(value, renamed, /*fold=*/false)
                     : ValueId{-1};
  });
}

}  // namespace somafit
