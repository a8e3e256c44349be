#include "worker/core/ir/method.h"

namespace somafit {
namespace {

// states + factor slopes
std::vector<ValueId> Shifted(StepContext& context, double factor,
                             const std::vector<ValueId>& slopes) {
  ProgramBuilder& builder = context.builder;
  std::vector<ValueId> result;
  for (size_t i = 0; i < slopes.size(); ++i) {
    result.push_back(builder.Fold(
        Op::kAdd, context.states[i],
        builder.Fold(Op::kMultiply, builder.Constant(factor), slopes[i])));
  }
  return result;
}

// The midpoint method.
std::optional<std::vector<ValueId>> StepRk2(StepContext& context) {
  if (context.RefusesNoise("rk2")) return std::nullopt;
  const double h = context.builder.program().dt;
  const auto middle = context.Later(
      Shifted(context, h / 2, context.start.drift), Stage::kMiddle);
  if (!middle) return std::nullopt;
  return Shifted(context, h, middle->drift);
}

// The classical method of order 4.
std::optional<std::vector<ValueId>> StepRk4(StepContext& context) {
  if (context.RefusesNoise("rk4")) return std::nullopt;
  ProgramBuilder& builder = context.builder;
  const double h = builder.program().dt;
  const std::vector<ValueId>& k1 = context.start.drift;
  const auto k2 = context.Later(Shifted(context, h / 2, k1), Stage::kMiddle);
  if (!k2) return std::nullopt;
  const auto k3 =
      context.Later(Shifted(context, h / 2, k2->drift), Stage::kMiddle);
  if (!k3) return std::nullopt;
  const auto k4 = context.Later(Shifted(context, h, k3->drift), Stage::kEnd);
  if (!k4) return std::nullopt;
  const ValueId two = builder.Constant(2);
  std::vector<ValueId> sums;
  for (size_t i = 0; i < k1.size(); ++i) {
    const ValueId inner = builder.Fold(
        Op::kMultiply, two, builder.Fold(Op::kAdd, k2->drift[i], k3->drift[i]));
    const ValueId outer = builder.Fold(Op::kAdd, k1[i], k4->drift[i]);
    sums.push_back(builder.Fold(Op::kAdd, outer, inner));
  }
  return Shifted(context, h / 6, sums);
}

}  // namespace

extern const MethodEntry kRk2 = {"rk2", "midpoint method", 2, &StepRk2};
extern const MethodEntry kRk4 = {"rk4", "classical Runge-Kutta method", 4,
                                 &StepRk4};

}  // namespace somafit
