#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/ir/derivative.h"
#include "worker/core/ir/method.h"

// Methods that choose their steps: what worker/sim lets a solver do.
namespace somafit {
namespace {

// The work of a step grows with the cube of the states, the Jacobian's program
// with their square.
constexpr size_t kMostStates = 64;
constexpr size_t kMostValues = 20'000;        // of the equations
constexpr size_t kMostDerivatives = 200'000;  // with them

// Finds slopes that are made from random numbers drawn for them, not held over
// the step. A value is looked at once, for whichever slope comes first.
class NoiseFinder {
 public:
  explicit NoiseFinder(const ProgramBuilder& builder)
      : builder_(builder), seen_(builder.size()) {}

  bool Finds(ValueId root) {
    std::vector<ValueId> found = {root};
    while (!found.empty()) {
      const ValueId id = found.back();
      found.pop_back();
      if (seen_[static_cast<size_t>(id)]) continue;
      seen_[static_cast<size_t>(id)] = true;
      const Value& value = builder_.value(id);
      if (value.op == Op::kNoise) return true;
      if (value.op == Op::kHold || value.op == Op::kUpdated) continue;
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) found.push_back(operand);
      }
    }
    return false;
  }

 private:
  const ProgramBuilder& builder_;
  std::vector<bool> seen_;
};

// Adds the slopes' derivatives by all states and by time.
bool AddJacobian(StepContext& context, const std::vector<ValueId>& states,
                 Integration& integration) {
  ProgramBuilder& builder = context.builder;
  std::vector<ValueId> unknowns = states;
  unknowns.push_back(builder.Elapsed());
  if (states.size() > kMostStates || builder.size() > kMostValues) {
    context.Refuse(
        integration.solver, 0,
        states.size() > kMostStates
            ? absl::StrCat("there are ", states.size(), " states, at most ",
                           kMostStates, " can be solved together")
            : "the right-hand sides are too long together",
        "use dopri5 or a method with a fixed step");
    return false;
  }
  Derivatives derivatives(builder, unknowns);
  const size_t n = states.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= n; ++j) {
      if (builder.size() > kMostDerivatives) {
        context.Refuse(integration.solver, i,
                       "the right-hand sides are too long together",
                       "use dopri5");
        return false;
      }
      const ValueId found = derivatives.Of(integration.slopes[i], j);
      const ValueId value =
          found == Derivatives::kZero ? builder.Constant(0) : found;
      (j < n ? integration.jacobian : integration.by_time).push_back(value);
    }
  }
  return true;
}

std::optional<std::vector<ValueId>> StepWith(StepContext& context,
                                             const char* solver,
                                             bool needs_jacobian) {
  if (context.RefusesNoise(solver)) return std::nullopt;
  const auto n = static_cast<int32_t>(context.states.size());
  if (n == 0) return std::vector<ValueId>();
  ProgramBuilder& builder = context.builder;
  std::vector<ValueId> inner, solved;
  for (int32_t i = 0; i < n; ++i) {
    inner.push_back(builder.Inner(i));
    solved.push_back(builder.Solved(i));
  }
  const auto sides = context.Later(inner, Stage::kInside);
  if (!sides) return std::nullopt;
  NoiseFinder noise(builder);
  for (size_t i = 0; i < inner.size(); ++i) {
    if (!noise.Finds(sides->drift[i])) continue;
    context.Refuse(solver, i, "random numbers are drawn in it",
                   "draw them in a subexpression that is constant over dt");
    return std::nullopt;
  }
  Integration integration;
  integration.solver = solver;
  integration.options = context.model.solver_options;
  integration.from = context.states;
  integration.slopes = sides->drift;
  if (needs_jacobian && !AddJacobian(context, inner, integration)) {
    return std::nullopt;
  }
  builder.program().integration = std::move(integration);
  return solved;
}

std::optional<std::vector<ValueId>> StepDopri5(StepContext& context) {
  return StepWith(context, "dopri5", false);
}
std::optional<std::vector<ValueId>> StepCashKarp54(StepContext& context) {
  return StepWith(context, "cash_karp54", false);
}
std::optional<std::vector<ValueId>> StepFehlberg78(StepContext& context) {
  return StepWith(context, "fehlberg78", false);
}
std::optional<std::vector<ValueId>> StepRosenbrock4(StepContext& context) {
  return StepWith(context, "rosenbrock4", true);
}

}  // namespace

extern const MethodEntry kDopri5 = {
    "dopri5", "Dormand-Prince, which chooses its steps", 5, &StepDopri5};
extern const MethodEntry kCashKarp54 = {
    "cash_karp54", "Cash-Karp, which chooses its steps", 5, &StepCashKarp54};
extern const MethodEntry kFehlberg78 = {
    "fehlberg78", "Fehlberg, which chooses its steps", 8, &StepFehlberg78};
extern const MethodEntry kRosenbrock4 = {
    "rosenbrock4", "Rosenbrock for stiff equations, which chooses its steps", 4,
    &StepRosenbrock4};

}  // namespace somafit
