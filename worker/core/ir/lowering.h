#pragma once

#include <string>
#include <vector>

#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// When within a step something is evaluated.
enum class Stage : uint8_t { kStart, kMiddle, kEnd };

// Expressions -> values, for one meaning of the states and of time: before the
// first step, at the start of a step, or in the middle of one.
//
// Integer powers become a fixed chain of multiplications, x**0.5 a square root,
// x**-n one over x**n. An input holds over a step (language, section 3.8): its
// value at the step's end is that of the next step.
class Lowering {
 public:
  // For initial values: every state is 0 until it is assigned.
  static Lowering Initial(const Model& model, ProgramBuilder& builder,
                          Diagnostics& diagnostics);
  // For a step, with the states at its start.
  static Lowering Start(const Model& model, ProgramBuilder& builder,
                        Diagnostics& diagnostics);
  // For the same step later on, with other states. `start`, which must live as
  // long, has the subexpressions that are constant over a step.
  static Lowering Later(Lowering& start, std::vector<ValueId> states,
                        Stage stage);

  void Assign(size_t state, ValueId value);
  const std::vector<ValueId>& states() const { return states_; }

  // -1 after an error. Subexpressions in it are lowered as they are met.
  ValueId Lower(const Expression& expression, const Source& source);
  // The value of a variable of the model by name.
  ValueId LowerVariable(const std::string& name);

 private:
  Lowering(const Model& model, ProgramBuilder& builder,
           Diagnostics& diagnostics, std::vector<ValueId> states);

  // Those that `expression` needs, in the model's order: each comes after those
  // that it uses.
  void LowerSubexpressions(const Expression& expression);
  void MarkNeeded(const Expression& expression, std::vector<bool>& needed);
  ValueId LowerExpression(const Expression& expression, const Source& source);
  ValueId LowerNode(const Node& node, const Expression& expression,
                    const std::vector<ValueId>& values, const Source& source);
  ValueId LowerName(const Name& form, const Node& node, const Source& source);
  // A number as the number that a variable of this type can hold.
  ValueId OfType(ValueType type, ValueId number);
  ValueId Truncated(ValueId number);
  ValueId Not(ValueId truth);
  // Of integers, division by 0 gives 0.
  ValueId Divided(Op op, bool integers, ValueId left, ValueId right);
  ValueId Time();
  ValueId LowerBinary(const Binary& form, const Expression& expression,
                      const std::vector<ValueId>& values);
  static ValueType TypeOf(const Expression& expression, NodeId id);
  ValueId LowerPower(ValueId base, ValueId exponent);
  ValueId Reciprocal(ValueId value, bool wanted);
  // By squaring, from the highest bit of the exponent down.
  ValueId IntegerPower(ValueId base, int exponent);
  ValueId LowerCall(const Call& form, const Node& node,
                    const Expression& expression,
                    const std::vector<ValueId>& values, const Source& source);
  bool IsConstant(ValueId id) const;
  // As written, except that numbers are computed: exponents must be numbers.
  // Chains of signs are shortened too, so that folding never meets long ones.
  ValueId Operation(Op op, ValueId a, ValueId b = -1, ValueId c = -1);
  ValueId Unsupported(const Source& source, Span span, const std::string& what);

  const Model& model_;
  ProgramBuilder& builder_;
  Diagnostics& diagnostics_;
  bool initial_ = false;
  Stage stage_ = Stage::kStart;
  Lowering* start_ = nullptr;  // of later stages
  std::vector<ValueId> states_;
  std::vector<ValueId> subexpressions_;
  size_t n_lowered_ = 0;
};

}  // namespace somafit
