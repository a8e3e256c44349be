#pragma once

#include <unordered_map>
#include <vector>

#include "worker/core/ir/program_builder.h"

namespace somafit {

// Derivatives of values of a builder by some of them, as values, by the chain
// rule. Where a value jumps or has a kink its derivative is that of one side.
class Derivatives {
 public:
  static constexpr ValueId kZero = -1;

  // `unknowns` count as independent of one another. The builder must live as
  // long.
  Derivatives(ProgramBuilder& builder, std::vector<ValueId> unknowns)
      : builder_(builder),
        unknowns_(std::move(unknowns)),
        known_(unknowns_.size()) {}

  // Of `root` by the unknown of this number; kZero where it is 0 on paper.
  ValueId Of(ValueId root, size_t unknown);

 private:
  ValueId Derive(ValueId id, const std::unordered_map<ValueId, ValueId>& known);

  ValueId Number(double number) { return builder_.Constant(number); }
  ValueId Product(ValueId a, ValueId b);
  ValueId Sum(ValueId a, ValueId b);
  ValueId Negated(ValueId a);
  ValueId Quotient(ValueId a, ValueId b);
  ValueId Chosen(ValueId condition, ValueId a, ValueId b);
  // Of exprel at x, where it has the value `exprel`.
  ValueId ExprelSlope(ValueId x, ValueId exprel);

  ProgramBuilder& builder_;
  const std::vector<ValueId> unknowns_;
  // Per unknown, of the values met so far.
  std::vector<std::unordered_map<ValueId, ValueId>> known_;
};

}  // namespace somafit
