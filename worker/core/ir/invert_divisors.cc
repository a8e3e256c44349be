#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

Program InvertInvariantDivisors(Program program) {
  const std::vector<Rate> rates = Rates(program);
  const std::vector<bool> as_written = FeedsDiscontinuity(program);
  return Rebuild(program, [&](ValueId id, const Value& value,
                              const std::vector<ValueId>& renamed,
                              ProgramBuilder& builder) {
    // A quotient that is itself known before the first step stays exact.
    if (value.op != Op::kDivide || rates[value.b] == Rate::kPerStep ||
        rates[value.a] != Rate::kPerStep || as_written[id]) {
      return builder.Copy(value, renamed, /*fold=*/false);
    }
    const ValueId inverse =
        builder.Fold(Op::kDivide, builder.Constant(1.0), renamed[value.b]);
    return builder.Emit(Op::kMultiply, renamed[value.a], inverse);
  });
}

}  // namespace somafit
