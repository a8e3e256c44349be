#include <cmath>

#include "worker/core/ir/linear_form.h"
#include "worker/core/ir/method.h"

namespace somafit {
namespace {

ValueId Sum(StepContext& context, ValueId a, ValueId b) {
  return context.builder.Fold(Op::kAdd, a, b);
}
ValueId Product(StepContext& context, ValueId a, ValueId b) {
  return context.builder.Fold(Op::kMultiply, a, b);
}

// x + h f(x, t), the drift of all three methods.
std::vector<ValueId> Drifted(StepContext& context,
                             const std::vector<ValueId>& drift) {
  std::vector<ValueId> next;
  for (size_t i = 0; i < context.states.size(); ++i) {
    next.push_back(Sum(context, context.states[i],
                       Product(context, context.h(), drift[i])));
  }
  return next;
}

// Of right-hand sides, the factors of one symbol; -1 where it is 0.
std::vector<ValueId> FactorsOf(const RightSides& sides, int32_t symbol) {
  std::vector<ValueId> factors;
  for (const auto& of_state : sides.noise) {
    const auto found = of_state.find(symbol);
    factors.push_back(found == of_state.end() ? -1 : found->second);
  }
  return factors;
}

bool HasSymbol(const std::vector<ValueId>& factors) {
  for (const ValueId factor : factors) {
    if (factor >= 0) return true;
  }
  return false;
}

// Whether noise is multiplied by what changes within a step.
bool RefusesMultiplicative(StepContext& context) {
  LinearForms forms(context.builder, context.states);
  for (size_t i = 0; i < context.states.size(); ++i) {
    for (const auto& [symbol, factor] : context.start.noise[i]) {
      if (!forms.UsesUnknown(factor) && !forms.UsesTime(factor)) continue;
      context.Refuse("euler", i, "its noise is multiplied by a state or by t",
                     "use heun or milstein");
      return true;
    }
  }
  return false;
}

// Euler-Maruyama: x + h f + sum of g_s dW_s.
std::optional<std::vector<ValueId>> StepEuler(StepContext& context) {
  if (RefusesMultiplicative(context)) return std::nullopt;
  std::vector<ValueId> next = Drifted(context, context.derivatives);
  for (size_t i = 0; i < next.size(); ++i) {
    for (const auto& [symbol, factor] : context.start.noise[i]) {
      next[i] = Sum(context, next[i],
                    Product(context, factor, context.Increment(symbol)));
    }
  }
  return next;
}

// Stratonovich: for each symbol, half of dW (g(x, t) + g(x + g dW, t + h)). The
// drift is not averaged.
std::optional<std::vector<ValueId>> StepHeun(StepContext& context) {
  std::vector<ValueId> next = Drifted(context, context.start.drift);
  const auto n_symbols = static_cast<int32_t>(context.model.noises.size());
  for (int32_t symbol = 0; symbol < n_symbols; ++symbol) {
    const std::vector<ValueId> factors = FactorsOf(context.start, symbol);
    if (!HasSymbol(factors)) continue;
    const ValueId increment = context.Increment(symbol);
    std::vector<ValueId> shifted = context.states;
    for (size_t i = 0; i < shifted.size(); ++i) {
      if (factors[i] < 0) continue;
      shifted[i] =
          Sum(context, shifted[i], Product(context, factors[i], increment));
    }
    const auto later = context.Later(shifted, Stage::kEnd);
    if (!later) return std::nullopt;
    const std::vector<ValueId> at_end = FactorsOf(*later, symbol);
    const ValueId half =
        Product(context, context.builder.Constant(0.5), increment);
    for (size_t i = 0; i < next.size(); ++i) {
      if (factors[i] < 0 && at_end[i] < 0) continue;
      const ValueId both = factors[i] < 0 ? at_end[i]
                           : at_end[i] < 0
                               ? factors[i]
                               : Sum(context, factors[i], at_end[i]);
      next[i] = Sum(context, next[i], Product(context, half, both));
    }
  }
  return next;
}

// Whether some equation has two symbols, or two equations have the same one.
bool RefusesMixed(StepContext& context) {
  std::vector<int> equations(context.model.noises.size(), 0);
  for (size_t i = 0; i < context.states.size(); ++i) {
    const auto& noise = context.start.noise[i];
    bool shared = false;
    for (const auto& [symbol, factor] : noise) {
      shared |= ++equations[static_cast<size_t>(symbol)] > 1;
    }
    if (noise.size() < 2 && !shared) continue;
    context.Refuse("milstein", i,
                   shared ? "another equation has the same noise"
                          : "there are several noise symbols in it",
                   "use heun");
    return true;
  }
  return false;
}

// Derivative-free and Stratonovich (P. Kloeden, E. Platen, Numerical solution
// of stochastic differential equations, 11.1): with x' = x + h f + sqrt(h) g,
// the noise adds g dW + (g(x') - g) dW^2 / (2 sqrt(h)). As Brian has it: since
// the mean of dW^2 is h, the drift within x' adds f g' h^1.5 / 2 in every step,
// so that the strong order is 1/2 where f is not 0, and 1 without drift.
std::optional<std::vector<ValueId>> StepMilstein(StepContext& context) {
  if (RefusesMixed(context)) return std::nullopt;
  ProgramBuilder& builder = context.builder;
  const double root = std::sqrt(builder.program().dt);
  const std::vector<ValueId> drifted = Drifted(context, context.start.drift);
  std::vector<ValueId> next = drifted;
  const auto n_symbols = static_cast<int32_t>(context.model.noises.size());
  for (int32_t symbol = 0; symbol < n_symbols; ++symbol) {
    const std::vector<ValueId> factors = FactorsOf(context.start, symbol);
    if (!HasSymbol(factors)) continue;
    std::vector<ValueId> shifted = drifted;
    for (size_t i = 0; i < shifted.size(); ++i) {
      if (factors[i] < 0) continue;
      shifted[i] = Sum(context, shifted[i],
                       Product(context, builder.Constant(root), factors[i]));
    }
    const auto later = context.Later(shifted, Stage::kStart);
    if (!later) return std::nullopt;
    const std::vector<ValueId> at_shifted = FactorsOf(*later, symbol);
    const ValueId increment = context.Increment(symbol);
    const ValueId square = Product(context, builder.Constant(1 / (2 * root)),
                                   Product(context, increment, increment));
    for (size_t i = 0; i < next.size(); ++i) {
      if (factors[i] < 0) continue;
      next[i] = Sum(context, next[i], Product(context, factors[i], increment));
      if (at_shifted[i] == factors[i]) continue;
      const ValueId there =
          at_shifted[i] < 0 ? builder.Constant(0) : at_shifted[i];
      next[i] =
          Sum(context, next[i],
              Product(context, builder.Fold(Op::kSubtract, there, factors[i]),
                      square));
    }
  }
  return next;
}

}  // namespace

extern const MethodEntry kEuler = {
    "euler", "forward Euler; with additive noise Euler-Maruyama",
    1,       &StepEuler,
    1,       false};

// Without noise both are forward Euler: their drift is not averaged.
extern const MethodEntry kHeun = {
    "heun", "stochastic Heun; without noise forward Euler", 1, &StepHeun, 1,
    true};
extern const MethodEntry kMilstein = {
    "milstein", "derivative-free Milstein; without noise forward Euler",
    1,          &StepMilstein,
    0.5,        true};

}  // namespace somafit
