#include "worker/core/ir/recording.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/lower.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

constexpr size_t kMostNames = 30;  // of those that an error lists
constexpr size_t kMostLetters = 60;

bool IsRecordable(const Meaning& meaning) {
  return meaning.kind == Meaning::Kind::kState ||
         meaning.kind == Meaning::Kind::kSubexpression ||
         meaning.kind == Meaning::Kind::kParameter ||
         meaning.kind == Meaning::Kind::kVariable ||
         meaning.kind == Meaning::Kind::kInput;
}

void ReportUnknown(const std::string& name, const Model& model,
                   Diagnostics& diagnostics) {
  std::vector<std::string> known;
  for (const Channel& each : RecordableVariables(model)) {
    known.push_back(each.name);
  }
  const std::string nearest = NearestWord(name, known);
  const size_t more = known.size() - std::min(known.size(), kMostNames);
  known.resize(known.size() - more);
  diagnostics.FieldError(
      "E_OPTION", "outputs",
      absl::StrCat("the model has no variable \"", name.substr(0, kMostLetters),
                   "\""),
      absl::StrCat(nearest.empty()
                       ? ""
                       : absl::StrCat("Did you mean \"", nearest, "\"? "),
                   "Known are: ", absl::StrJoin(known, ", "),
                   more > 0 ? absl::StrCat(" and ", more, " more.") : "."));
}

// Puts the values of `program` into `builder`; their places there.
std::vector<ValueId> CopyValues(const Program& program,
                                ProgramBuilder& builder) {
  std::vector<ValueId> renamed;
  renamed.reserve(program.values.size());
  for (const Value& value : program.values) {
    renamed.push_back(
        value.op == Op::kNoise
            ? builder.Noise(value.index, program.noises[value.index])
            : builder.Copy(value, renamed, /*fold=*/false));
  }
  return renamed;
}

std::vector<ValueId> Renamed(const std::vector<ValueId>& ids,
                             const std::vector<ValueId>& renamed) {
  std::vector<ValueId> result;
  for (const ValueId id : ids) result.push_back(renamed[id]);
  return result;
}

}  // namespace

std::vector<Channel> RecordableVariables(const Model& model) {
  std::vector<Channel> variables;
  for (const auto* list : {&model.states, &model.variables,
                           &model.subexpressions, &model.parameters}) {
    for (const ModelVariable& variable : *list) {
      const bool known = std::any_of(
          variables.begin(), variables.end(),
          [&](const Channel& each) { return each.name == variable.name; });
      if (!known) variables.push_back({variable.name, variable.dimension});
    }
  }
  variables.insert(variables.end(), model.inputs.begin(), model.inputs.end());
  if (model.threshold.valid() && !model.Resolve(kSpikes)) {
    variables.push_back({kSpikes, kNoDimension});
  }
  return variables;
}

namespace {

// The program of the fit, copied into a builder, and what observes `names`.
struct Copied {
  Program fit;
  ProgramBuilder builder;
  std::vector<ValueId> renamed;  // values of `fit` in `builder`
  std::vector<ValueId> observed;
};

std::optional<Copied> CopyAndObserve(const Model& model, double dt,
                                     const std::vector<std::string>& fitted,
                                     const std::vector<std::string>& names,
                                     Diagnostics& diagnostics) {
  std::optional<Program> fit = CompileProgram(model, dt, fitted, diagnostics);
  if (!fit.has_value()) return std::nullopt;
  Program header = *fit;
  header.outputs = names;
  ProgramBuilder builder(header);
  const std::vector<ValueId> renamed = CopyValues(*fit, builder);
  std::vector<ValueId> observed;
  for (const std::string& name : names) {
    const auto place = std::find(fitted.begin(), fitted.end(), name);
    if (place != fitted.end()) {
      observed.push_back(renamed[fit->observed[place - fitted.begin()]]);
      continue;
    }
    const std::optional<Meaning> meaning = model.Resolve(name);
    if (!meaning.has_value() && name == kSpikes && fit->spike >= 0) {
      observed.push_back(renamed[fit->spike]);
      continue;
    }
    if (!meaning.has_value() || !IsRecordable(*meaning)) {
      ReportUnknown(name, model, diagnostics);
      return std::nullopt;
    }
    // What is fused depends on how often a product is used, hence on what is
    // observed: each in a program of its own, so that neither the steps nor
    // another variable change with it.
    const std::optional<Program> alone =
        CompileProgram(model, dt, {name}, diagnostics);
    if (!alone.has_value()) return std::nullopt;
    observed.push_back(CopyValues(*alone, builder)[alone->observed[0]]);
  }
  return Copied{*std::move(fit), std::move(builder), renamed,
                std::move(observed)};
}

Program Finished(Program program, std::vector<ValueId> observed) {
  program.spike = -1;
  program.observed = std::move(observed);
  program = DropDeadValues(std::move(program));
  SOMAFIT_CHECK(VerifyProgram(program).ok());
  return program;
}

}  // namespace

std::optional<Program> CompileRecording(const Model& model, double dt,
                                        const std::vector<std::string>& fitted,
                                        const std::vector<std::string>& names,
                                        Diagnostics& diagnostics) {
  std::optional<Copied> copied =
      CopyAndObserve(model, dt, fitted, names, diagnostics);
  if (!copied.has_value()) return std::nullopt;
  const Program& fit = copied->fit;
  const std::vector<ValueId>& renamed = copied->renamed;
  Program program = std::move(copied->builder.program());
  program.initial = Renamed(fit.initial, renamed);
  program.next = Renamed(fit.next, renamed);
  if (fit.integration) {
    program.integration = fit.integration;
    program.integration->from = Renamed(fit.integration->from, renamed);
    program.integration->slopes = Renamed(fit.integration->slopes, renamed);
    program.integration->jacobian = Renamed(fit.integration->jacobian, renamed);
    program.integration->by_time = Renamed(fit.integration->by_time, renamed);
  }
  return Finished(std::move(program), std::move(copied->observed));
}

std::optional<Program> CompileObservation(
    const Model& model, double dt, const std::vector<std::string>& fitted,
    const std::vector<std::string>& names, Diagnostics& diagnostics) {
  for (const std::string& name : names) {
    if (name != kSpikes || model.Resolve(name)) continue;
    diagnostics.FieldError("E_OPTION", "outputs",
                           "there are no spikes after the last step",
                           "name a variable of the model");
    return std::nullopt;
  }
  std::optional<Copied> copied =
      CopyAndObserve(model, dt, fitted, names, diagnostics);
  if (!copied.has_value()) return std::nullopt;
  ProgramBuilder& builder = copied->builder;
  std::vector<ValueId> held;
  for (size_t i = 0; i < copied->fit.states.size(); ++i) {
    held.push_back(builder.State(static_cast<int32_t>(i)));
  }
  Program program = std::move(builder.program());
  program.initial = Renamed(copied->fit.initial, copied->renamed);
  program.next = std::move(held);
  program.integration.reset();
  program = Finished(std::move(program), std::move(copied->observed));
  const bool reads = std::any_of(
      program.values.begin(), program.values.end(), [](const Value& value) {
        return value.op == Op::kInput || value.op == Op::kInputNext;
      });
  if (!reads) {
    program.inputs.clear();
    program.targets.clear();
  }
  return program;
}

}  // namespace somafit
