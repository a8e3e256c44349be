#pragma once

#include <functional>
#include <span>
#include <vector>

namespace somafit {

// Values [n] and gradients [n x D] of the rows of u [n x D]; a value that is
// not finite is a point to step back from.
using BatchObjective =
    std::function<void(std::span<const double> u, std::span<double> value,
                       std::span<double> gradient)>;

struct AscentOptions {
  int max_evaluations = 500;  // of each start
  double gradient_tolerance = 1e-6;
  double value_tolerance = 1e-9;  // twice in a row, relative to 1 + |value|
  double longest_step = 5;
  std::function<bool()> stop = {};
};

struct Ascent {
  std::vector<double> u;  // [D]
  double value = 0;
  bool converged = false;
};

// Climbs from every row of `starts` [n x D] at once by L-BFGS with memory 10
// and backtracking (J. Nocedal, S. Wright (2006), "Numerical Optimization",
// algorithms 7.4, 7.5 and 3.1), so that an objective costs one call for all.
// Never worse than the start. A start that is not finite is returned as it is.
std::vector<Ascent> Ascend(const BatchObjective& objective,
                           std::span<const double> starts, size_t d,
                           const AscentOptions& options = {});

}  // namespace somafit
