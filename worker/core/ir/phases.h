#pragma once

#include "worker/core/ir/lowering.h"
#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/model.h"

namespace somafit {

// What happens in a step beside integration (language, sections 4.2 to 4.4), as
// assignments to `now`. Every function is false after an error, which is
// reported.
class Phases {
 public:
  // All must live as long.
  Phases(const Model& model, Lowering& now, ProgramBuilder& builder)
      : model_(model), now_(now), builder_(builder) {}

  // The periodic code of the slots first .. last, where it is due.
  bool RunCode(Slot first, Slot last);
  // Who is refractory in this step.
  bool UpdateRefractory();
  // After integration: `updated` are the model's states. Those that are
  // refractory keep their value.
  void TakeStates(const std::vector<ValueId>& updated);
  // Who spikes, which is entered into the program, and since when who is
  // refractory.
  bool FindSpikes();
  // The code of those that spike.
  bool Reset();

 private:
  size_t Variable(const char* name) const;  // in now_'s order
  ValueId Select(ValueId condition, ValueId a, ValueId b);
  ValueId IsDue(const PeriodicCode& periodic);
  ValueId Timestep(ValueId time);
  bool HasEvents() const;

  const Model& model_;
  Lowering& now_;
  ProgramBuilder& builder_;
};

// Reports periodic code whose time step is no multiple of `dt` (E_OPTION).
void CheckPeriods(const Model& model, double dt, Diagnostics& diagnostics);

}  // namespace somafit
