#include "worker/core/data/parameter_space.h"

#include <algorithm>
#include <cmath>

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"

namespace somafit {

ParameterSpace::ParameterSpace(std::vector<Parameter> parameters)
    : parameters_(std::move(parameters)) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].fixed()) free_.push_back(i);
  }
}

std::vector<double> ParameterSpace::ToSi(std::span<const double> unit) const {
  SOMAFIT_CHECK(unit.size() == free_.size());
  std::vector<double> si(parameters_.size());
  for (size_t i = 0; i < si.size(); ++i) si[i] = parameters_[i].lower;
  for (size_t k = 0; k < free_.size(); ++k) {
    const auto& [name, dimension, lower, upper, log] = parameters_[free_[k]];
    double value = 0;
    if (log) {
      const double from = Log(lower);
      value = Exp(std::fma(unit[k], Log(upper) - from, from));
    } else {
      value = std::fma(unit[k], upper - lower, lower);
    }
    si[free_[k]] = std::clamp(value, lower, upper);
  }
  return si;
}

double ParameterSpace::ToUnit(size_t index, double si) const {
  const auto& [name, dimension, lower, upper, log] = parameters_[index];
  SOMAFIT_CHECK(lower < upper);
  const double unit = log ? (Log(si) - Log(lower)) / (Log(upper) - Log(lower))
                          : (si - lower) / (upper - lower);
  return std::clamp(unit, 0.0, 1.0);
}

}  // namespace somafit
