#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// When within a step something is evaluated.
// kInside: wherever a solver with steps of its own is; inputs and staircases
// hold over the step.
enum class Stage : uint8_t { kStart, kMiddle, kEnd, kInside };

// How many time steps of `dt` a longer time is; 0 if that is no whole number.
double StepsOf(double time, double dt);

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
  // For the same step later on, with other values of the model's states; the
  // rest is that of `now`, whose random numbers are drawn anew.
  static Lowering Later(Lowering& now, const std::vector<ValueId>& states,
                        Stage stage);

  // `variable` counts the model's states, then its variables.
  void Assign(size_t variable, ValueId value);
  // Of the model's states, then of its variables.
  const std::vector<ValueId>& states() const { return states_; }
  // From here on all that was assigned counts as numbers.
  void MarkUpdated();
  // Takes the subexpressions that are constant over a step, as of now.
  void Hold();

  // Executes code where `condition` is true, everywhere if it is -1. A state
  // that is refractory is left alone if `protects`. False after an error.
  bool Execute(const Code& code, ValueId condition, bool protects);

  // -1 after an error. Subexpressions in it are lowered as they are met.
  ValueId Lower(const Expression& expression, const Source& source);
  // As what the variable can hold.
  ValueId LowerInitial(const InitialValue& initial);
  // The value of a variable of the model by name.
  ValueId LowerVariable(const std::string& name);

 private:
  Lowering(const Model& model, ProgramBuilder& builder,
           Diagnostics& diagnostics, std::vector<ValueId> states);

  ValueId GivenNumber(Given what);
  ValueId RandomNumber(const std::string& function, int32_t site, ValueId mean);
  // A call of a TimedArray: language, section 3.8.
  ValueId LowerLookup(size_t array, const Call& form,
                      const Expression& expression,
                      const std::vector<ValueId>& values);
  // The number of the array's row that holds at the time of the first argument.
  ValueId RowAt(const TimedArray& array, const Node& argument, ValueId time);
  // A value as one that `to` can hold.
  ValueId Converted(ValueId value, ValueType from, ValueType to);

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

  static constexpr ValueId kNotLowered = -2;  // -1: failed

  struct Shared {
    size_t n_lowered = 0;  // nodes
    std::unordered_map<std::string, std::optional<Meaning>> meanings;
  };
  const std::optional<Meaning>& Resolve(const std::string& name) const;

  const Model& model_;
  ProgramBuilder& builder_;
  Diagnostics& diagnostics_;
  bool initial_ = false;
  Stage stage_ = Stage::kStart;
  // How often random numbers are drawn anew within a step, and which time this
  // is.
  int32_t n_evaluations_ = 1;
  int32_t evaluation_ = 0;
  std::vector<ValueId> states_;
  std::vector<ValueId> subexpressions_;
  std::vector<ValueId> held_;  // of those that are constant over a step
  std::map<std::string, ValueId> temporaries_;
  // Of all that are made from one.
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace somafit
