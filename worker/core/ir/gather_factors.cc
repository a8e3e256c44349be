#include <cmath>

#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {
namespace {

// A product of a value that changes from step to step and a factor that does
// not; the factor is -1 where it is none.
struct Scaled {
  ValueId value = -1;
  ValueId factor = -1;
};

Scaled Split(const ProgramBuilder& builder, ValueId a, ValueId b) {
  const bool a_moves = builder.rate(a) == Rate::kPerStep;
  const bool b_moves = builder.rate(b) == Rate::kPerStep;
  if (a_moves == b_moves) return {};
  return a_moves ? Scaled{a, b} : Scaled{b, a};
}

}  // namespace

Program GatherFactors(Program program) {
  const std::vector<int> uses = CountUses(program);
  const std::vector<bool> as_written = FeedsDiscontinuity(program);
  return DropDeadValues(Rebuild(
      program,
      [&](ValueId id, const Value& value, const std::vector<ValueId>& renamed,
          ProgramBuilder& builder) {
        const auto copy = [&] {
          return builder.Copy(value, renamed, /*fold=*/false);
        };
        if (value.op != Op::kMultiply || as_written[id]) return copy();
        const Scaled outer = Split(builder, renamed[value.a], renamed[value.b]);
        if (outer.factor < 0) return copy();
        const ValueId inner_id =
            renamed[value.a] == outer.value ? value.a : value.b;
        const Value inner = builder.value(outer.value);
        if (inner.op != Op::kMultiply || uses[inner_id] != 1) return copy();
        const Scaled within = Split(builder, inner.a, inner.b);
        if (within.factor < 0) return copy();
        const ValueId factor =
            builder.Fold(Op::kMultiply, within.factor, outer.factor);
        const Value& product = builder.value(factor);
        if (product.op == Op::kConstant && !std::isnormal(product.constant)) {
          return copy();
        }
        return builder.Emit(Op::kMultiply, within.value, factor);
      }));
}

}  // namespace somafit
