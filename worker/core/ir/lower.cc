#include "worker/core/ir/lower.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/lowering.h"
#include "worker/core/ir/method.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

Program Names(const Model& model, double dt,
              const std::vector<std::string>& outputs) {
  Program names;
  names.dt = dt;
  for (const auto& parameter : model.parameters) {
    names.parameters.push_back(parameter.name);
  }
  for (const auto& state : model.states) names.states.push_back(state.name);
  for (const auto& input : model.inputs) names.inputs.push_back(input.name);
  names.outputs = outputs;
  names.targets = model.targets;
  names.uses_iteration = model.uses_iteration;
  if (model.uses_iteration) names.parameters.push_back("iteration");
  return names;
}

struct NamedPass {
  std::string_view name;
  Program (*run)(Program program);
};

// The order is part of the numbers' definition.
constexpr NamedPass kPasses[] = {
    {"fold constants", &FoldConstants},
    // Before products are fused, so that x / y + z is fused too.
    {"invert invariant divisors", &InvertInvariantDivisors},
    {"invert exprel", &InvertExprel},
    {"share exponentials", &ShareExponentials},
    {"fuse multiply add", &FuseMultiplyAdd},
    {"drop dead values", &DropDeadValues},
};

void CheckAndShow(std::string_view stage, const Program& program,
                  const ProgramObserver& observer) {
  const absl::Status status = VerifyProgram(program);
  if (!status.ok()) {
    std::fprintf(stderr, "after \"%.*s\": %s\n", static_cast<int>(stage.size()),
                 stage.data(), std::string(status.message()).c_str());
  }
  SOMAFIT_CHECK(status.ok());
  if (observer) observer(stage, program);
}

// The model with one method. Shows its stages once the method is known to
// apply.
std::optional<Program> CompileWith(const MethodEntry& method,
                                   const Model& model, double dt,
                                   const std::vector<std::string>& outputs,
                                   Diagnostics& diagnostics,
                                   const ProgramObserver& observer) {
  ProgramBuilder builder(Names(model, dt, outputs));
  bool lowered = true;
  const auto keep = [&lowered](std::vector<ValueId>& to, ValueId id) {
    lowered = lowered && id >= 0;
    to.push_back(id);
  };

  Lowering step = Lowering::Start(model, builder, diagnostics);
  std::vector<ValueId> derivatives;
  for (const ModelVariable& state : model.states) {
    keep(derivatives, step.Lower(state.right_side, model.equations));
  }
  std::vector<ValueId> observed;
  for (const std::string& output : outputs) {
    keep(observed, step.LowerVariable(output));
  }
  Lowering start = Lowering::Initial(model, builder, diagnostics);
  for (const InitialValue& initial : model.initial_values) {
    const ValueId value = start.Lower(initial.value, initial.source);
    lowered = lowered && value >= 0;
    start.Assign(initial.state, value);
  }
  if (!lowered) return std::nullopt;

  builder.program().initial = start.states();
  builder.program().observed = observed;
  builder.program().next = derivatives;
  const Program before = builder.program();
  StepContext context{model, derivatives, step, builder, diagnostics};
  auto next = method.step(context);
  if (!next) return std::nullopt;
  CheckAndShow("lowered", before, observer);
  builder.program().next = *std::move(next);
  Program program = std::move(builder.program());
  CheckAndShow(method.name, program, observer);
  for (const NamedPass& pass : kPasses) {
    program = pass.run(std::move(program));
    CheckAndShow(pass.name, program, observer);
  }
  return program;
}

}  // namespace

std::optional<Program> CompileProgram(const Model& model, double dt,
                                      const std::vector<std::string>& outputs,
                                      Diagnostics& diagnostics,
                                      const ProgramObserver& observer) {
  if (!(dt > 0) || !std::isfinite(dt)) {
    diagnostics.FieldError(
        "E_OPTION", "dt",
        absl::StrCat("time step ", ShortestText(dt), " second is not above 0"),
        "Give a time step such as 0.01*ms.");
    return std::nullopt;
  }
  if (!model.method.empty()) {
    const MethodEntry* const method = FindMethod(model.method);
    SOMAFIT_CHECK(method != nullptr);
    return CompileWith(*method, model, dt, outputs, diagnostics, observer);
  }
  Diagnostics found;
  for (const char* const name : kDefaultMethods) {
    found = Diagnostics();
    auto program =
        CompileWith(*FindMethod(name), model, dt, outputs, found, observer);
    if (!program) continue;
    diagnostics.Append(found);
    return program;
  }
  // Of the last one, which applies to every model that can be lowered.
  diagnostics.Append(found);
  return std::nullopt;
}

}  // namespace somafit
