#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

std::vector<int> CountUses(const Program& program) {
  std::vector<int> uses(program.values.size(), 0);
  for (const Value& value : program.values) {
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) ++uses[operand];
    }
  }
  for (const ValueId id : program.initial) ++uses[id];
  for (const ValueId id : StepResults(program)) ++uses[id];
  return uses;
}

Program FuseMultiplyAdd(Program program) {
  const std::vector<int> uses = CountUses(program);
  const std::vector<Rate> rates = Rates(program);
  const std::vector<bool> as_written = FeedsDiscontinuity(program);
  Program fused = Rebuild(program, [&](ValueId id, const Value& value,
                                       const std::vector<ValueId>& renamed,
                                       ProgramBuilder& builder) {
    const auto fma = [&](const Value& product, ValueId addend) {
      return builder.Emit(Op::kFma, renamed[product.a], renamed[product.b],
                          addend);
    };
    // A product known before the first step stays out of the steps.
    const auto fusible = [&](ValueId operand) {
      return program.values[operand].op == Op::kMultiply &&
             uses[operand] == 1 && rates[operand] == rates[id] &&
             !as_written[id];
    };
    if (value.op == Op::kAdd && fusible(value.a)) {
      return fma(program.values[value.a], renamed[value.b]);
    }
    if (value.op == Op::kAdd && fusible(value.b)) {
      return fma(program.values[value.b], renamed[value.a]);
    }
    if (value.op == Op::kSubtract && fusible(value.a)) {
      return fma(program.values[value.a],
                 builder.Fold(Op::kNegate, renamed[value.b]));
    }
    if (value.op == Op::kSubtract && fusible(value.b)) {
      const Value& product = program.values[value.b];
      // Of the two factors the one that changes less often is negated.
      ValueId negated = renamed[product.a];
      ValueId other = renamed[product.b];
      if (builder.rate(other) < builder.rate(negated)) {
        std::swap(negated, other);
      }
      negated = builder.Fold(Op::kNegate, negated);
      return builder.Emit(Op::kFma, negated, other, renamed[value.a]);
    }
    return builder.Copy(value, renamed, /*fold=*/false);
  });
  // The products that went into fused operations are still there.
  return DropDeadValues(std::move(fused));
}

}  // namespace somafit
