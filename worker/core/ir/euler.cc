#include "worker/core/ir/method.h"

namespace somafit {
namespace {

// x + h f(x, t)
std::optional<std::vector<ValueId>> Step(StepContext& context) {
  std::vector<ValueId> next;
  for (size_t i = 0; i < context.model.states.size(); ++i) {
    next.push_back(
        context.builder.Fold(Op::kAdd, context.start.states()[i],
                             context.builder.Fold(Op::kMultiply, context.h(),
                                                  context.derivatives[i])));
  }
  return next;
}

}  // namespace

extern const MethodEntry kEuler = {
    "euler", "forward Euler; with additive noise Euler-Maruyama", 1, &Step};

// Without noise both are forward Euler: their drift is not averaged.
extern const MethodEntry kHeun = {
    "heun", "stochastic Heun; without noise forward Euler", 1, &Step};
extern const MethodEntry kMilstein = {
    "milstein", "derivative-free Milstein; without noise forward Euler", 1,
    &Step};

}  // namespace somafit
