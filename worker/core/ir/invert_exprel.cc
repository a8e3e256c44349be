#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

Program InvertExprel(Program program) {
  return Rebuild(program, [&program](ValueId, const Value& value,
                                     const std::vector<ValueId>& renamed,
                                     ProgramBuilder& builder) {
    if (value.op != Op::kDivide || program.values[value.b].op != Op::kExprel) {
      return builder.Copy(value, renamed, /*fold=*/false);
    }
    const ValueId inverse =
        builder.Fold(Op::kBernoulli, renamed[program.values[value.b].a]);
    return builder.Fold(Op::kMultiply, renamed[value.a], inverse);
  });
}

}  // namespace somafit
