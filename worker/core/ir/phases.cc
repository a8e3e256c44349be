#include "worker/core/ir/phases.h"

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

// Of a step: a time that is less below a multiple of it counts as that one.
constexpr double kTimestepMargin = 1e-3;

}  // namespace

size_t Phases::Variable(const char* name) const {
  const std::optional<Meaning> meaning = model_.Resolve(name);
  SOMAFIT_CHECK(meaning && meaning->kind == Meaning::Kind::kVariable);
  return model_.states.size() + meaning->index;
}

ValueId Phases::Select(ValueId condition, ValueId a, ValueId b) {
  return builder_.Fold(Op::kSelect, condition, a, b);
}

ValueId Phases::IsDue(const PeriodicCode& periodic) {
  if (periodic.dt == 0) return -1;
  const double steps = StepsOf(periodic.dt, builder_.program().dt);
  if (steps <= 1) return -1;
  const ValueId rest =
      builder_.Emit(Op::kModulo, builder_.Step(), builder_.Constant(steps));
  return builder_.Emit(Op::kEqual, rest, builder_.Constant(0));
}

bool Phases::RunCode(Slot first, Slot last) {
  bool all = true;
  for (const PeriodicCode& periodic : model_.periodic) {
    if (periodic.slot < first || periodic.slot > last) continue;
    all &= now_.Execute(periodic.code, IsDue(periodic), /*protects=*/true);
  }
  return all;
}

// The number of the step at this time, as the language's function of that name.
ValueId Phases::Timestep(ValueId time) {
  const double dt = builder_.program().dt;
  const ValueId steps = builder_.Fold(
      Op::kDivide,
      builder_.Fold(Op::kAdd, time, builder_.Constant(kTimestepMargin * dt)),
      builder_.Constant(dt));
  return Select(builder_.Fold(Op::kLess, steps, builder_.Constant(0)),
                builder_.Fold(Op::kCeil, steps),
                builder_.Fold(Op::kFloor, steps));
}

bool Phases::UpdateRefractory() {
  const Refractory& refractory = model_.refractory;
  if (!model_.is_refractory()) return true;
  const size_t flag = Variable(kNotRefractory);
  if (refractory.form == Refractory::Form::kCondition) {
    const ValueId stays = now_.Lower(refractory.expression, refractory.source);
    if (stays < 0) return false;
    const ValueId ended =
        Select(stays, builder_.Constant(0), builder_.Constant(1));
    now_.Assign(flag, Select(now_.states()[flag], builder_.Constant(1), ended));
    return true;
  }
  const ValueId length =
      refractory.sampled ? now_.states()[Variable(kRefractoryTime)]
                         : now_.Lower(refractory.expression, refractory.source);
  if (length < 0) return false;
  // timestep(t - lastspike, dt) >= timestep(length, dt), multiplied by dt: the
  // margin of a thousandth of a step is far above rounding.
  const double dt = builder_.program().dt;
  const ValueId now_and_margin = builder_.Fold(
      Op::kAdd, builder_.Time(), builder_.Constant(kTimestepMargin * dt));
  const ValueId since = builder_.Fold(Op::kSubtract, now_and_margin,
                                      now_.states()[Variable(kLastSpike)]);
  const ValueId wanted =
      builder_.Fold(Op::kMultiply, Timestep(length), builder_.Constant(dt));
  now_.Assign(flag, builder_.Fold(Op::kLessEqual, wanted, since));
  return true;
}

bool Phases::HasEvents() const {
  return model_.threshold.valid() || model_.is_refractory() ||
         !model_.periodic.empty();
}

void Phases::TakeStates(const std::vector<ValueId>& updated) {
  for (size_t i = 0; i < updated.size(); ++i) {
    ValueId value = updated[i];
    if (model_.states[i].unless_refractory) {
      value = Select(now_.states()[Variable(kNotRefractory)], value,
                     now_.states()[i]);
    }
    now_.Assign(i, HasEvents()
                       ? builder_.Updated(static_cast<int32_t>(i), value)
                       : value);
  }
}

bool Phases::FindSpikes() {
  if (!model_.threshold.valid()) return true;
  ValueId fired = now_.Lower(model_.threshold, model_.threshold_source);
  if (fired < 0) return false;
  if (model_.is_refractory()) {
    const size_t flag = Variable(kNotRefractory);
    const size_t last = Variable(kLastSpike);
    const ValueId may = now_.states()[flag];
    fired = Select(fired, may, builder_.Constant(0));
    now_.Assign(flag, Select(fired, builder_.Constant(0), may));
    now_.Assign(last, Select(fired, builder_.Time(), now_.states()[last]));
  }
  builder_.program().spike = fired;
  return true;
}

bool Phases::Reset() {
  if (!model_.threshold.valid()) return true;
  const ValueId fired = builder_.program().spike;
  if (!now_.Execute(model_.reset, fired, /*protects=*/false)) return false;
  if (!model_.refractory.sampled) return true;
  const ValueId length =
      now_.Lower(model_.refractory.expression, model_.refractory.source);
  if (length < 0) return false;
  const size_t kept = Variable(kRefractoryTime);
  now_.Assign(kept, Select(fired, length, now_.states()[kept]));
  return true;
}

void CheckPeriods(const Model& model, double dt, Diagnostics& diagnostics) {
  for (const PeriodicCode& periodic : model.periodic) {
    if (periodic.dt == 0 || StepsOf(periodic.dt, dt) > 0) continue;
    diagnostics.FieldError(
        "E_OPTION", periodic.code.source.field,
        absl::StrCat("code cannot run every ", ShortestText(periodic.dt),
                     " second, the time step is ", ShortestText(dt), " second"),
        "Give a multiple of the time step.");
  }
}

}  // namespace somafit
