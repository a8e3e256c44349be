#include "worker/core/objective/trace_statistics.h"

#include <algorithm>

namespace somafit {

double QuantileOf(std::vector<double>& values, double q) {
  if (values.empty() || std::any_of(values.begin(), values.end(),
                                    [](double x) { return std::isnan(x); })) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double place = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(place);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(low);
  std::nth_element(values.begin(), at, values.end());
  if (low + 1 == values.size()) return *at;
  const double next = *std::min_element(at + 1, values.end());
  return std::fma(place - static_cast<double>(low), next - *at, *at);
}

}  // namespace somafit
