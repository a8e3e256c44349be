#include "worker/core/data/parameter_space.h"

#include <algorithm>
#include <cmath>

#include "worker/core/base/check.h"

namespace somafit {

std::vector<double> ParameterSpace::ToSi(std::span<const double> unit) const {
  SOMAFIT_CHECK(unit.size() == parameters_.size());
  std::vector<double> si(unit.size());
  for (size_t i = 0; i < unit.size(); ++i) {
    const auto& [name, dimension, lower, upper] = parameters_[i];
    si[i] = std::clamp(std::fma(unit[i], upper - lower, lower), lower, upper);
  }
  return si;
}

}  // namespace somafit
