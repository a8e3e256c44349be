#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/ir/linear_form.h"
#include "worker/core/ir/method.h"

namespace somafit {
namespace {

// Takes right-hand sides apart; nullopt after an error.
std::optional<RightSides> TakeApart(const Model& model,
                                    const std::vector<ValueId>& right_sides,
                                    ProgramBuilder& builder,
                                    Diagnostics& diagnostics) {
  RightSides result;
  if (model.noises.empty()) {
    result.drift = right_sides;
    result.noise.resize(right_sides.size());
    return result;
  }
  std::vector<ValueId> symbols;
  for (size_t i = 0; i < model.noises.size(); ++i) {
    symbols.push_back(
        builder.Noise(static_cast<int32_t>(i), NoiseKind::kNormal));
  }
  LinearForms forms(builder, symbols);
  bool all = true;
  for (size_t i = 0; i < right_sides.size(); ++i) {
    auto form = forms.Of(right_sides[i]);
    if (!form) {
      const ModelVariable& variable = model.states[i];
      diagnostics.Error(
          "E_XI", model.equations, variable.name_span,
          absl::StrCat("noise does not enter d", variable.name, "/dt linearly"),
          forms.is_full()
              ? "the right-hand sides are too long together"
              : "a noise symbol may only be multiplied by what holds none");
      all = false;
      continue;
    }
    if (form->factors.empty()) {
      result.drift.push_back(right_sides[i]);
    } else {
      result.drift.push_back(form->rest < 0 ? builder.Constant(0) : form->rest);
    }
    result.noise.push_back(std::move(form->factors));
  }
  if (!all) return std::nullopt;
  return result;
}

}  // namespace

std::optional<StepContext> StepContext::Make(
    const Model& model, const std::vector<ValueId>& right_sides, Lowering& now,
    ProgramBuilder& builder, Diagnostics& diagnostics) {
  auto parts = TakeApart(model, right_sides, builder, diagnostics);
  if (!parts) return std::nullopt;
  const auto first = now.states().begin();
  const auto n_states = static_cast<std::ptrdiff_t>(model.states.size());
  StepContext context{
      model,        std::vector<ValueId>(first, first + n_states),
      parts->drift, {},
      now,          builder,
      diagnostics};
  context.Freeze(*parts);
  context.start = *std::move(parts);
  return context;
}

void StepContext::Freeze(RightSides& parts) {
  for (size_t i = 0; i < parts.drift.size(); ++i) {
    parts.drift[i] = Frozen(i, parts.drift[i]);
    for (auto& [symbol, factor] : parts.noise[i]) factor = Frozen(i, factor);
  }
}

ValueId StepContext::not_refractory() const {
  return model.is_refractory() ? now.LowerVariable(kNotRefractory) : -1;
}

ValueId StepContext::Frozen(size_t state, ValueId slope) {
  if (!model.states[state].unless_refractory) return slope;
  return builder.Fold(Op::kSelect, not_refractory(), slope,
                      builder.Constant(0));
}

ValueId StepContext::Increment(int32_t symbol) {
  return builder.Fold(Op::kMultiply,
                      builder.Constant(std::sqrt(builder.program().dt)),
                      builder.Noise(symbol, NoiseKind::kNormal));
}

std::optional<RightSides> StepContext::Later(const std::vector<ValueId>& at,
                                             Stage stage) {
  std::vector<ValueId> shifted = at;
  for (size_t i = 0; i < at.size() && !model.noises.empty(); ++i) {
    // The noise that is in them is none of the right-hand sides'.
    shifted[i] = builder.Updated(static_cast<int32_t>(i), at[i]);
  }
  Lowering later = Lowering::Later(now, shifted, stage);
  std::vector<ValueId> right_sides;
  for (const ModelVariable& state : model.states) {
    right_sides.push_back(later.Lower(state.right_side, model.equations));
    if (right_sides.back() < 0) return std::nullopt;
  }
  auto parts = TakeApart(model, right_sides, builder, diagnostics);
  if (parts) Freeze(*parts);
  return parts;
}

bool StepContext::RefusesNoise(std::string_view method) {
  for (size_t i = 0; i < start.noise.size(); ++i) {
    if (start.noise[i].empty()) continue;
    Refuse(method, i, "there is noise in it", "use euler, heun or milstein");
    return true;
  }
  return false;
}

void StepContext::Refuse(std::string_view method, size_t state,
                         const std::string& why, const std::string& hint) {
  const ModelVariable& variable = model.states[state];
  diagnostics.Error("E_METHOD", model.equations, variable.name_span,
                    absl::StrCat(std::string(method), " cannot integrate d",
                                 variable.name, "/dt: ", why),
                    hint);
}

}  // namespace somafit
