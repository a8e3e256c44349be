#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/ir/derivative.h"
#include "worker/core/ir/method.h"

// Methods that choose their steps: what worker/sim lets a solver do.
namespace somafit {
namespace {

constexpr size_t kMostValues = 200'000;  // of the Jacobian's program

// Whether a value is made from a random number that is drawn for it, not held
// over the step.
bool DrawsNumbers(const ProgramBuilder& builder, ValueId root) {
  std::vector<ValueId> found = {root};
  std::set<ValueId> seen;
  while (!found.empty()) {
    const ValueId id = found.back();
    found.pop_back();
    if (!seen.insert(id).second) continue;
    const Value& value = builder.value(id);
    if (value.op == Op::kNoise) return true;
    if (value.op == Op::kHold || value.op == Op::kUpdated) continue;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0) found.push_back(operand);
    }
  }
  return false;
}

// Adds the slopes' derivatives by all states and by time.
bool AddJacobian(StepContext& context, const std::vector<ValueId>& states,
                 Integration& integration) {
  ProgramBuilder& builder = context.builder;
  std::vector<ValueId> unknowns = states;
  unknowns.push_back(builder.Elapsed());
  Derivatives derivatives(builder, unknowns);
  const size_t n = states.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= n; ++j) {
      if (builder.size() > kMostValues) {
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
  for (size_t i = 0; i < inner.size(); ++i) {
    if (!DrawsNumbers(builder, sides->drift[i])) continue;
    context.Refuse(solver, i, "random numbers are drawn in it",
                   "draw them in a subexpression that is constant over dt");
    return std::nullopt;
  }
  Integration integration{
      solver, context.model.solver_options, sides->drift, {}, {}};
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
