#include "server/posterior/log_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/base/elementary.h"

namespace somafit {

double LogSumExp(std::span<const double> x) {
  double greatest = -std::numeric_limits<double>::infinity();
  for (const double one : x) {
    if (std::isnan(one)) return one;
    greatest = std::max(greatest, one);
  }
  if (std::isinf(greatest)) return greatest;
  double sum = 0;
  for (const double one : x) sum += Exp(one - greatest);
  return greatest + Log(sum);
}

void NormalizeLog(std::span<double> x) {
  const double total = LogSumExp(x);
  for (double& one : x) one -= total;
}

size_t DrawIndex(std::span<const double> log_weights, double uniform) {
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < log_weights.size(); ++i) {
    const double weight = Exp(log_weights[i]);
    if (!(weight > 0)) continue;
    last = i;
    sum += weight;
    if (uniform < sum) return i;
  }
  return last;
}

}  // namespace somafit
