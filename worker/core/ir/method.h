#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "worker/core/ir/lowering.h"
#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// What a method makes a step from. All values are the builder's.
struct StepContext {
  const Model& model;
  const std::vector<ValueId>& derivatives;  // per state, at the step's start
  Lowering& start;
  ProgramBuilder& builder;
  Diagnostics& diagnostics;

  // The time step, and numbers.
  ValueId h() const { return builder.Constant(builder.program().dt); }
  // The derivatives for other states, later in the step; nullopt after an
  // error.
  std::optional<std::vector<ValueId>> Derivatives(std::vector<ValueId> states,
                                                  Stage stage);
};

// The states after a step; nullopt where the method does not apply to the
// model, which is reported (E_METHOD) at the equation that is to blame.
using StepFunction = std::optional<std::vector<ValueId>> (*)(StepContext&);

// A way to integrate with a fixed step (language, section 3).
struct MethodEntry {
  std::string_view name;
  std::string_view summary;  // one clause
  // Of the error after a fixed time, as a power of the step, for smooth
  // deterministic equations; 0: exact to rounding.
  int order;
  StepFunction step;
};

// The first of them that applies is taken for a model that names none.
inline constexpr const char* kDefaultMethods[] = {"exact", "euler"};

std::span<const MethodEntry* const> AllMethods();
// nullptr if there is none.
const MethodEntry* FindMethod(std::string_view name);

}  // namespace somafit
