#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/ir/program.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// A row of the language's conformance tables: a model, and what one of its
// variables does, step by step. tau is 10 ms.
struct Row {
  std::string id;
  std::string equations;
  std::vector<double> expected;  // of `output`, per step
  std::string method = "";
  std::vector<NamedText> initial_values = {};
  std::vector<double> parameters = {};
  double dt = 1e-3;                // [s]
  std::vector<double> input = {};  // of the input `ta`, per step
  std::string output = "v";
  std::string threshold = "";
  std::optional<std::string> reset = {};
  std::string refractory = "";
  std::vector<PeriodicSpec> periodic = {};
  std::vector<TimedArraySpec> timed_arrays = {};
  std::string method_choice = "";
  double drawn = 0;  // what every random number is
};

struct CompiledRow {
  std::optional<Program> program;
  std::string method;  // the one used
  Diagnostics diagnostics;
};
CompiledRow CompileRow(const Row& row);

// Runs the row through the interpreter, which must give what is expected, and
// through every kind of kernel, whole and in chunks, which must agree with it
// to the bit.
void CheckRow(const Row& row);

// 1 at `steps`, else 0: what "spikes" should be.
std::vector<double> SpikesAt(const std::vector<int>& steps, int n_steps);

}  // namespace somafit
