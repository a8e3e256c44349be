#pragma once

#include <unordered_map>
#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// Puts values into a Program, each only once. Operands of commutative
// operations are ordered, so that a + b and b + a are one value.
class ProgramBuilder {
 public:
  // `names` gives dt, the four lists of names and what they stand for; its
  // values are not used.
  explicit ProgramBuilder(const Program& names);

  ValueId Constant(double value);
  ValueId Parameter(int32_t index);
  ValueId State(int32_t index);
  ValueId Input(int32_t index);
  ValueId InputNext(int32_t index);
  ValueId Time();
  ValueId Step();
  // Enters `kind` into the program's noises, which grow as needed.
  ValueId Noise(int32_t index, NoiseKind kind);
  ValueId Inner(int32_t state);
  ValueId Elapsed();
  ValueId Solved(int32_t state);
  ValueId Element(int32_t array, ValueId index);
  ValueId Updated(int32_t state, ValueId value);

  // The operation as given.
  ValueId Emit(Op op, ValueId a, ValueId b = -1, ValueId c = -1);
  // The same number by fewer operations where that changes no bit of any
  // finite result: constants are computed, neutral operands and double
  // negations go, negations move outwards and into sums.
  ValueId Fold(Op op, ValueId a, ValueId b = -1, ValueId c = -1);
  // A copy of a value of another Program, its operands renamed by `renamed`.
  ValueId Copy(const Value& value, const std::vector<ValueId>& renamed,
               bool fold);

  const Value& value(ValueId id) const { return program_.values[id]; }
  Rate rate(ValueId id) const { return rates_[id]; }
  bool IsConstant(ValueId id, double number) const;  // same bits
  size_t size() const { return program_.values.size(); }

  // `initial`, `next` and `observed` are still to be set.
  Program& program() { return program_; }

 private:
  struct Hash {
    size_t operator()(const Value& value) const;
  };
  // Constants are equal where their bits are: NaN is NaN, and 0 is not -0.
  struct Same {
    bool operator()(const Value& a, const Value& b) const;
  };

  ValueId Insert(const Value& value);
  bool IsNegation(ValueId id) const { return value(id).op == Op::kNegate; }

  Program program_;
  std::vector<Rate> rates_;
  std::unordered_map<Value, ValueId, Hash, Same> known_;
};

}  // namespace somafit
