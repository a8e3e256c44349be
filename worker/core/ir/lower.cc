#include "worker/core/ir/lower.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"
#include "worker/core/ir/lowering.h"
#include "worker/core/ir/method.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/phases.h"
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
  for (const auto* list : {&model.states, &model.variables}) {
    for (const auto& state : *list) names.states.push_back(state.name);
  }
  for (const auto& input : model.inputs) names.inputs.push_back(input.name);
  names.n_variables = model.variables.size();
  names.outputs = outputs;
  names.targets = model.targets;
  const auto give = [&names](bool wanted, Given what, const char* name) {
    if (!wanted) return;
    names.given.push_back(what);
    names.parameters.emplace_back(name);
  };
  give(model.uses_iteration, Given::kIteration, "iteration");
  give(model.uses_lane_number, Given::kLaneNumber, "i");
  give(model.uses_lane_count, Given::kLaneCount, "N");
  for (const TimedArray& array : model.timed_arrays) {
    names.arrays.push_back(
        std::make_shared<const std::vector<double>>(array.values));
  }
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
    {"gather factors", &GatherFactors},
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

// The values before the first step; empty after an error.
std::vector<ValueId> InitialValues(const Model& model, ProgramBuilder& builder,
                                   Diagnostics& diagnostics) {
  Lowering start = Lowering::Initial(model, builder, diagnostics);
  bool all = true;
  for (const InitialValue& initial : model.initial_values) {
    const ValueId value = start.LowerInitial(initial);
    all = all && value >= 0;
    start.Assign(initial.state, value);
  }
  return all ? start.states() : std::vector<ValueId>();
}

// A step of a model by one method, in the order of language, section 4.2.
class Step {
 public:
  Step(const Model& model, ProgramBuilder& builder, Diagnostics& diagnostics)
      : model_(model),
        builder_(builder),
        diagnostics_(diagnostics),
        now_(Lowering::Start(model, builder, diagnostics)),
        phases_(model, now_, builder) {}

  // Up to integration. The program then has derivatives as its next values.
  bool Begin(const std::vector<std::string>& outputs) {
    bool all = phases_.RunCode(Slot::kBeforeStart, Slot::kBeforeStart);
    now_.Hold();
    all = phases_.RunCode(Slot::kStart, Slot::kStart) && all;
    Lowering at_record = now_;
    all = phases_.RunCode(Slot::kAfterStart, Slot::kGroups) && all;
    all = phases_.UpdateRefractory() && all;
    now_.MarkUpdated();
    for (const ModelVariable& state : model_.states) {
      right_sides_.push_back(now_.Lower(state.right_side, model_.equations));
      all = all && right_sides_.back() >= 0;
    }
    std::vector<ValueId> observed;
    for (const std::string& output : outputs) {
      if (output == kSpikes && model_.threshold.valid()) {
        // Known after integration.
        spikes_.push_back(observed.size());
        observed.push_back(builder_.Constant(0));
        continue;
      }
      observed.push_back(at_record.LowerVariable(output));
      all = all && observed.back() >= 0;
    }
    builder_.program().observed = std::move(observed);
    builder_.program().next = right_sides_;
    return all;
  }

  // The rest; false if the method does not apply.
  bool End(const MethodEntry& method) {
    auto context =
        StepContext::Make(model_, right_sides_, now_, builder_, diagnostics_);
    if (!context) return false;
    const auto updated = method.step(*context);
    if (!updated) return false;
    phases_.TakeStates(*updated);
    bool all = phases_.RunCode(Slot::kAfterGroups, Slot::kThresholds);
    all = phases_.FindSpikes() && all;
    all = phases_.RunCode(Slot::kAfterThresholds, Slot::kResets) && all;
    all = phases_.Reset() && all;
    all = phases_.RunCode(Slot::kAfterResets, Slot::kAfterEnd) && all;
    builder_.program().next = now_.states();
    for (const size_t i : spikes_) {
      builder_.program().observed[i] = builder_.program().spike;
    }
    KeepTimestep();
    return all;
  }

 private:
  // The solver's own state, see Integration.
  void KeepTimestep() {
    Program& program = builder_.program();
    if (!program.integration) return;
    program.states.emplace_back("step of the solver");
    ++program.n_variables;
    program.initial.push_back(builder_.Constant(0));
    program.next.push_back(
        builder_.Solved(static_cast<int32_t>(program.states.size()) - 1));
  }

  const Model& model_;
  ProgramBuilder& builder_;
  Diagnostics& diagnostics_;
  Lowering now_;
  Phases phases_;
  std::vector<ValueId> right_sides_;
  std::vector<size_t> spikes_;  // outputs that are
};

// The model with one method. Shows its stages once the method is known to
// apply.
std::optional<Program> CompileWith(const MethodEntry& method,
                                   const Model& model, double dt,
                                   const std::vector<std::string>& outputs,
                                   Diagnostics& diagnostics,
                                   const ProgramObserver& observer) {
  ProgramBuilder builder(Names(model, dt, outputs));
  Step step(model, builder, diagnostics);
  bool all = step.Begin(outputs);
  const std::vector<ValueId> initial =
      InitialValues(model, builder, diagnostics);
  if (!all || initial.size() != builder.program().states.size()) {
    return std::nullopt;
  }
  builder.program().initial = initial;
  Program before = builder.program();
  // Variables without an equation stand still.
  for (size_t i = model.states.size(); i < initial.size(); ++i) {
    before.next.push_back(builder.Constant(0));
  }
  before.values = builder.program().values;
  if (!step.End(method)) return std::nullopt;
  CheckAndShow("lowered", before, observer);
  Program program = std::move(builder.program());
  CheckAndShow(method.name, program, observer);
  for (const NamedPass& pass : kPasses) {
    program = pass.run(std::move(program));
    CheckAndShow(pass.name, program, observer);
  }
  return program;
}

// Every source of noise takes memory in a worker, and heun looks at all
// right-hand sides once for each symbol.
void CheckNoises(const Model& model, Diagnostics& diagnostics) {
  constexpr size_t kMostSymbols = 64;
  constexpr int32_t kMostSites = 250;
  if (model.noises.size() > kMostSymbols) {
    diagnostics.FieldError("E_XI", "model.equations",
                           absl::StrCat("there are ", model.noises.size(),
                                        " noise symbols, at most ",
                                        kMostSymbols, " can be simulated"));
  }
  if (model.n_random_sites > kMostSites) {
    diagnostics.FieldError(
        "E_UNSUPPORTED", "model",
        absl::StrCat("random functions occur ", model.n_random_sites,
                     " times, at most ", kMostSites, " can be simulated"));
  }
}

void CheckArrays(const Model& model, double dt, Diagnostics& diagnostics) {
  constexpr double kMostSteps = 1e12;
  for (const TimedArray& array : model.timed_arrays) {
    if (array.dt / dt <= kMostSteps) continue;
    diagnostics.FieldError(
        "E_OPTION", absl::StrCat("model.timed_arrays.", array.name),
        absl::StrCat("a value holds for ", ShortestText(array.dt),
                     " second, more than 1e12 time steps"),
        "Give a shorter one, or a constant.");
  }
}

void WarnOfGrids(const Model& model, double dt, Diagnostics& diagnostics) {
  for (const TimedArray& array : model.timed_arrays) {
    if (array.dt <= dt || StepsOf(array.dt, dt) > 0) continue;
    diagnostics.Keep({Severity::kWarning,
                      "W_GRID",
                      absl::StrCat("model.timed_arrays.", array.name),
                      {},
                      absl::StrCat("a value holds for ", ShortestText(array.dt),
                                   " second, which is no multiple of the time "
                                   "step of ",
                                   ShortestText(dt), " second"),
                      "values begin at the nearest eighth of a step or finer",
                      ""});
  }
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
  Diagnostics mistakes;
  CheckPeriods(model, dt, mistakes);
  CheckNoises(model, mistakes);
  CheckArrays(model, dt, mistakes);
  WarnOfGrids(model, dt, diagnostics);
  diagnostics.Append(mistakes);
  if (mistakes.HasErrors()) return std::nullopt;
  const bool chosen = model.methods.empty();
  const std::vector<std::string> methods =
      chosen ? std::vector<std::string>(std::begin(kDefaultMethods),
                                        std::end(kDefaultMethods))
             : model.methods;
  for (const std::string& name : methods) {
    const MethodEntry* const method = FindMethod(name);
    SOMAFIT_CHECK(method != nullptr);
    Diagnostics found;
    auto program = CompileWith(*method, model, dt, outputs, found, observer);
    // The last one of the defaults applies to every model that can be lowered.
    if (program || !chosen || name == methods.back()) mistakes.Append(found);
    if (!program) continue;
    diagnostics.Append(found);
    if (found.HasErrors()) return std::nullopt;
    return program;
  }
  diagnostics.Append(mistakes);
  return std::nullopt;
}

}  // namespace somafit
