#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/ir/lowering.h"
#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// Right-hand sides: f + sum of g_s xi_s over the noise symbols s.
struct RightSides {
  std::vector<ValueId> drift;  // f, per state
  // g, per state by the symbol's number; where there is none it is 0.
  std::vector<std::map<int32_t, ValueId>> noise;
};

// What a method makes a step from. All values are the builder's.
struct StepContext {
  // nullopt where noise does not enter linearly (E_XI). All must live as long.
  static std::optional<StepContext> Make(
      const Model& model, const std::vector<ValueId>& right_sides,
      Lowering& now, ProgramBuilder& builder, Diagnostics& diagnostics);

  const Model& model;
  std::vector<ValueId> states;       // at the step's start: of the model's
  std::vector<ValueId> derivatives;  // there, without noise
  RightSides start;                  // there; refractory states stand still
  Lowering& now;
  ProgramBuilder& builder;
  Diagnostics& diagnostics;

  // The time step, and numbers.
  ValueId h() const { return builder.Constant(builder.program().dt); }
  // The right-hand sides for other states, later in the step; nullopt after an
  // error. Refractory states stand still.
  std::optional<RightSides> Later(const std::vector<ValueId>& states,
                                  Stage stage);
  // Not 0 where the states flagged `unless refractory` move; -1: everywhere.
  ValueId not_refractory() const;
  // 0 where the state is refractory.
  ValueId Frozen(size_t state, ValueId slope);
  // sqrt(h) z with z standard normal: what a noise symbol adds in the step.
  ValueId Increment(int32_t symbol);

  // Reports the first equation with noise, for a method that allows none.
  bool RefusesNoise(std::string_view method);
  // E_METHOD at an equation.
  void Refuse(std::string_view method, size_t state, const std::string& why,
              const std::string& hint);

  void Freeze(RightSides& parts);
};

// The states after a step; nullopt where the method does not apply to the
// model, which is reported (E_METHOD) at the equation that is to blame.
using StepFunction = std::optional<std::vector<ValueId>> (*)(StepContext&);

// A way to integrate (language, section 3): a formula for a step, or, where it
// sets Program::integration, a right-hand side for a solver.
struct MethodEntry {
  std::string_view name;
  std::string_view summary;  // one clause
  // Of the error after a fixed time, as a power of the step, for smooth
  // deterministic equations; 0: exact to rounding.
  int order;
  StepFunction step;
  // With noise: of the mean distance from the exact path (strong order). 0: the
  // method takes none.
  double strong_order = 0;
  // Whether the noise may be multiplied by states and by t.
  bool multiplicative = false;
};

// The first of them that applies is taken for a model that names none.
inline constexpr const char* kDefaultMethods[] = {"exact", "euler", "heun"};

std::span<const MethodEntry* const> AllMethods();
// nullptr if there is none.
const MethodEntry* FindMethod(std::string_view name);

}  // namespace somafit
