#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace somafit {

// How a solver chooses its steps within a time step. A step is good where the
// error that the method itself estimates is, for each state, at most
// absolute_error + relative_error |state|.
struct SolverOptions {
  double relative_error = 1e-6;
  std::vector<double> absolute_errors = {};  // per state, SI
  int64_t max_steps = 1000;        // tries within a time step; then it gives up
  bool adaptable_timestep = true;  // else one step a time step, whatever error
  bool use_last_timestep = true;   // begins with what was right at last
  friend bool operator==(const SolverOptions&, const SolverOptions&) = default;
};

// "relative_error 1e-06, absolute_errors 1e-15 1e-15, max_steps 1000, ...".
std::string SolverOptionsText(const SolverOptions& options);

}  // namespace somafit
