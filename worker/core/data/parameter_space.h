#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/core/units/dimension.h"

namespace somafit {

// An unknown of the model and where it may lie.
struct Parameter {
  std::string name;
  Dimension dimension;
  double lower = 0;  // SI
  double upper = 0;  // SI, > lower
};

// The box that a fit searches; optimizers see it as the unit cube.
class ParameterSpace {
 public:
  ParameterSpace() = default;
  explicit ParameterSpace(std::vector<Parameter> parameters)
      : parameters_(std::move(parameters)) {}

  size_t size() const { return parameters_.size(); }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // Unit cube -> SI: lower + u (upper - lower), one fused multiply-add, clamped
  // to the bounds.
  std::vector<double> ToSi(std::span<const double> unit) const;

 private:
  std::vector<Parameter> parameters_;
};

}  // namespace somafit
