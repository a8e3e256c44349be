#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "worker/core/ir/program_builder.h"

namespace somafit {

// A value as a sum of states times factors, and a rest; neither the factors nor
// the rest hold a state.
struct LinearForm {
  std::map<int32_t, ValueId> factors;  // by the state's index
  ValueId rest = -1;                   // -1: nothing
};

// Finds the linear forms of values of a builder, by the rules of algebra;
// factors that vanish on paper are left out.
class LinearForms {
 public:
  explicit LinearForms(ProgramBuilder& builder) : builder_(builder) {}

  // nullopt where `root` has none: states inside functions, multiplied by one
  // another, or below a fraction bar; or where it is too long.
  std::optional<LinearForm> Of(ValueId root);

  // Whether it gave up: values have no form because there are too many terms.
  bool is_full() const;

  // Whether the value changes within a step: it holds t or a step's number.
  bool UsesTime(ValueId root);

 private:
  struct Facts {
    bool has_state = false;
    bool uses_time = false;
    std::optional<LinearForm> form;
  };

  void Learn(ValueId root);
  std::optional<LinearForm> FormOf(ValueId id, const Value& value,
                                   bool has_state);
  std::optional<LinearForm> Sum(const LinearForm& a, const LinearForm& b,
                                Op op);
  LinearForm Scaled(const LinearForm& form, Op op, ValueId factor);
  bool IsZero(ValueId id) const;

  ProgramBuilder& builder_;
  std::unordered_map<ValueId, Facts> facts_;
  size_t n_terms_ = 0;  // of all forms
};

}  // namespace somafit
