#include "server/inference/optimization.h"

#include <algorithm>
#include <cmath>

namespace somafit {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

}  // namespace

Optimization Optimization::From(const at::Tensor& start, double rate,
                                bool averages) {
  Optimization result;
  result.weights = start.clone();
  result.gradient = at::zeros_like(start);
  result.first_moment = at::zeros_like(start);
  result.second_moment = at::zeros_like(start);
  if (averages) result.average = start.clone();
  result.rate = rate;
  return result;
}

void Optimization::RestartFrom(const at::Tensor& start) {
  weights.copy_(start);
  first_moment.zero_();
  second_moment.zero_();
  if (average.defined()) average.copy_(start);
  steps = 0;
  averaged = 0;
}

void Optimization::Step(const at::Tensor& existing,
                        std::optional<double> max_norm) {
  if (existing.defined()) gradient.mul_(existing);
  if (max_norm.has_value()) {
    // A tensor, so that nothing waits for a GPU.
    gradient.mul_((*max_norm / (gradient.norm() + 1e-6)).clamp_max(1.0));
  }
  ++steps;
  first_moment.lerp_(gradient, 1 - kBeta1);
  second_moment.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double count = static_cast<double>(steps);
  const double correction1 = 1 - std::pow(kBeta1, count);
  const double correction2 = 1 - std::pow(kBeta2, count);
  const at::Tensor denominator =
      second_moment.sqrt().mul_(1 / std::sqrt(correction2)).add_(kEpsilon);
  weights.addcdiv_(first_moment, denominator, -rate / correction1);
}

void Optimization::Average(double window) {
  ++averaged;
  average.lerp_(weights, 1 / std::min(window, static_cast<double>(averaged)));
}

}  // namespace somafit
