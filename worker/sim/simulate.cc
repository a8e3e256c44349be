#include "worker/sim/simulate.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "worker/core/ir/interpreter.h"

namespace somafit {

absl::StatusOr<std::vector<std::vector<std::vector<double>>>> Simulate(
    const Program& program, const Dataset& dataset,
    std::span<const double> parameters_si) {
  if (parameters_si.size() != program.parameters.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(parameters_si.size(), " numbers are given for ",
                     program.parameters.size(), " parameters"));
  }
  std::vector<std::vector<std::vector<double>>> result;
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const Trace& trace = dataset.traces[i];
    if (trace.inputs.size() != program.inputs.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("trace ", i, " has ", trace.inputs.size(),
                       " input signals, but the model has ",
                       program.inputs.size(), " inputs"));
    }
    TraceView view;
    view.n_steps = trace.n_steps();
    view.inputs.assign(trace.inputs.begin(), trace.inputs.end());
    auto& recorded = result.emplace_back(program.outputs.size(),
                                         std::vector<double>(view.n_steps));
    Interpret(program, view, 1, parameters_si,
              [&](size_t step, std::span<const double> outputs) {
                for (size_t o = 0; o < outputs.size(); ++o) {
                  recorded[o][step] = outputs[o];
                }
              });
  }
  return result;
}

}  // namespace somafit
