#include "server/posterior/ascent.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include <Eigen/Core>

#include "worker/core/base/check.h"

namespace somafit {
namespace {

constexpr size_t kMemory = 10;
constexpr double kArmijo = 1e-4;
constexpr int kMostHalvings = 25;

struct Pair {
  Eigen::VectorXd s, y;  // steps, and changes of minus the gradient
};

struct Climber {
  Eigen::VectorXd u, gradient, direction;
  double value = 0;
  double step = 1;
  int halvings = 0, evaluations = 1, small = 0;
  std::deque<Pair> pairs;
  bool active = true, converged = false;

  void Aim(double longest) {
    Eigen::VectorXd q = gradient;
    std::vector<double> alpha(pairs.size());
    for (size_t i = pairs.size(); i-- > 0;) {
      alpha[i] = pairs[i].s.dot(q) / pairs[i].s.dot(pairs[i].y);
      q -= alpha[i] * pairs[i].y;
    }
    if (!pairs.empty()) {
      const Pair& last = pairs.back();
      q *= last.s.dot(last.y) / last.y.squaredNorm();
    } else {
      q /= std::max(1.0, gradient.norm());
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      const double beta = pairs[i].y.dot(q) / pairs[i].s.dot(pairs[i].y);
      q += (alpha[i] - beta) * pairs[i].s;
    }
    if (!q.allFinite() || !(q.dot(gradient) > 0)) {
      pairs.clear();
      q = gradient / std::max(1.0, gradient.norm());
    }
    if (const double length = q.norm(); length > longest) q *= longest / length;
    direction = q;
    step = 1;
    halvings = 0;
  }

  void Stop(bool at_optimum) {
    active = false;
    converged = at_optimum;
  }
};

// Takes the trial at climber.u + step * direction, or steps back.
void Judge(Climber& climber, double value, const Eigen::VectorXd& gradient,
           const AscentOptions& options) {
  ++climber.evaluations;
  const double slope = climber.gradient.dot(climber.direction);
  const bool good = std::isfinite(value) && gradient.allFinite() &&
                    value >= climber.value + kArmijo * climber.step * slope;
  if (!good) {
    climber.step *= std::isfinite(value) ? 0.5 : 0.1;
    if (++climber.halvings < kMostHalvings) return;
    // No step is uphill: the optimum as far as the objective's digits tell,
    // unless an old curvature misled.
    if (climber.pairs.empty()) return climber.Stop(true);
    climber.pairs.clear();
    return climber.Aim(options.longest_step);
  }
  Pair pair{climber.step * climber.direction, climber.gradient - gradient};
  const double gain = value - climber.value;
  climber.u += pair.s;
  climber.value = value;
  climber.gradient = gradient;
  if (pair.s.dot(pair.y) > 1e-10 * pair.s.norm() * pair.y.norm()) {
    climber.pairs.push_back(std::move(pair));
    if (climber.pairs.size() > kMemory) climber.pairs.pop_front();
  }
  if (gain <= options.value_tolerance * (1 + std::fabs(value))) {
    ++climber.small;
  } else {
    climber.small = 0;
  }
  if (climber.small >= 2 ||
      gradient.lpNorm<Eigen::Infinity>() < options.gradient_tolerance) {
    return climber.Stop(true);
  }
  climber.Aim(options.longest_step);
}

}  // namespace

std::vector<Ascent> Ascend(const BatchObjective& objective,
                           std::span<const double> starts, size_t d,
                           const AscentOptions& options) {
  SOMAFIT_CHECK(d > 0 && starts.size() % d == 0);
  const size_t n = starts.size() / d;
  std::vector<double> value(n), gradient(n * d);
  if (n > 0) objective(starts, value, gradient);
  std::vector<Climber> climbers(n);
  for (size_t i = 0; i < n; ++i) {
    Climber& climber = climbers[i];
    climber.u = Eigen::Map<const Eigen::VectorXd>(starts.data() + i * d, d);
    climber.gradient =
        Eigen::Map<const Eigen::VectorXd>(gradient.data() + i * d, d);
    climber.value = value[i];
    if (!std::isfinite(value[i]) || !climber.gradient.allFinite()) {
      climber.Stop(false);
    } else if (climber.gradient.lpNorm<Eigen::Infinity>() <
               options.gradient_tolerance) {
      climber.Stop(true);
    } else {
      climber.Aim(options.longest_step);
    }
  }
  while (!(options.stop && options.stop())) {
    std::vector<Climber*> active;
    std::vector<double> trials;
    for (Climber& climber : climbers) {
      if (!climber.active || climber.evaluations >= options.max_evaluations) {
        continue;
      }
      active.push_back(&climber);
      const Eigen::VectorXd trial =
          climber.u + climber.step * climber.direction;
      trials.insert(trials.end(), trial.begin(), trial.end());
    }
    if (active.empty()) break;
    value.resize(active.size());
    gradient.resize(active.size() * d);
    objective(trials, value, gradient);
    for (size_t i = 0; i < active.size(); ++i) {
      Judge(*active[i], value[i],
            Eigen::Map<const Eigen::VectorXd>(gradient.data() + i * d, d),
            options);
    }
  }
  std::vector<Ascent> results;
  for (const Climber& climber : climbers) {
    results.push_back({{climber.u.begin(), climber.u.end()},
                       climber.value,
                       climber.converged});
  }
  return results;
}

}  // namespace somafit
