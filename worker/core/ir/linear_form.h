#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "worker/core/ir/program_builder.h"

namespace somafit {

// A value as a sum of unknowns times factors, and a rest; neither the factors
// nor the rest hold an unknown.
struct LinearForm {
  std::map<int32_t, ValueId> factors;  // by the unknown's number
  ValueId rest = -1;                   // -1: nothing
};

// Finds the linear forms of values of a builder, by the rules of algebra;
// factors that vanish on paper are left out.
class LinearForms {
 public:
  // `unknowns` are values, numbered in their order.
  LinearForms(ProgramBuilder& builder, const std::vector<ValueId>& unknowns);

  // nullopt where `root` has none: unknowns inside functions, multiplied by one
  // another, or below a fraction bar; or where it is too long.
  std::optional<LinearForm> Of(ValueId root);

  // Whether it gave up: values have no form because there are too many terms.
  bool is_full() const;

  // Whether the value changes within a step: it holds t.
  bool UsesTime(ValueId root);
  bool UsesUnknown(ValueId root);

 private:
  struct Facts {
    bool has_unknown = false;
    bool uses_time = false;
    std::optional<LinearForm> form;
  };

  void Learn(ValueId root);
  std::optional<LinearForm> FormOf(ValueId id, const Value& value,
                                   bool has_unknown);
  std::optional<LinearForm> Sum(const LinearForm& a, const LinearForm& b,
                                Op op);
  LinearForm Scaled(const LinearForm& form, Op op, ValueId factor);
  bool IsZero(ValueId id) const;

  ProgramBuilder& builder_;
  std::unordered_map<ValueId, int32_t> unknowns_;
  std::unordered_map<ValueId, Facts> facts_;
  size_t n_terms_ = 0;  // of all forms
};

}  // namespace somafit
