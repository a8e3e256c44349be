#pragma once

#include <cstdint>
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
  double upper = 0;  // SI, > lower; or equal: it is fixed there
  // Whether the optimizer moves evenly in its logarithm; lower is above 0 then.
  bool log = false;

  bool fixed() const { return lower == upper; }
};

// Sample `sample` of a stage's first round has this value in one coordinate of
// the unit cube.
struct StartValue {
  int64_t sample = 0;
  size_t coordinate = 0;  // of ParameterSpace::free
  double si = 0;
};

// The box that a fit searches; optimizers see the parameters that are not
// fixed, in their order, as the unit cube.
class ParameterSpace {
 public:
  ParameterSpace() = default;
  explicit ParameterSpace(std::vector<Parameter> parameters);

  size_t size() const { return parameters_.size(); }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // Numbers of those that are searched for: the coordinates of the unit cube.
  const std::vector<size_t>& free() const { return free_; }

  // Unit cube -> SI, all parameters, clamped to the bounds: lower + u (upper -
  // lower), one fused multiply-add; of a logarithmic one the exponential of
  // that between the logarithms.
  std::vector<double> ToSi(std::span<const double> unit) const;
  // Where in the unit cube a value of parameter `index` lies, clamped.
  // REQUIRES: it is not fixed.
  double ToUnit(size_t index, double si) const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<size_t> free_;
};

}  // namespace somafit
