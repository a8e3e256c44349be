#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/core/ir/program.h"
#include "worker/core/lang/model.h"

namespace somafit {

// What can be recorded of a model: its states, other variables, subexpressions,
// parameters and inputs, in this order, and kSpikes of one with a threshold,
// which is 1 in the steps with a spike, else 0.
std::vector<Channel> RecordableVariables(const Model& model);

// A program that steps as the one that CompileProgram makes for `fitted` (the
// outputs that a fit compares), to the bit, and observes `names`, each a
// recordable variable. States and fitted outputs are then the very numbers that
// the fit's errors were made from, whatever else is observed. Another variable
// is computed from these states by itself: it may differ by rounding from what
// took part in the step. nullopt after an error; an unknown name is E_OPTION.
std::optional<Program> CompileRecording(const Model& model, double dt,
                                        const std::vector<std::string>& fitted,
                                        const std::vector<std::string>& names,
                                        Diagnostics& diagnostics);

// A program that takes no step: with the states of the same program it observes
// `names`, as CompileRecording's does. For what a model is like at its end. It
// has no inputs where it reads none.
std::optional<Program> CompileObservation(
    const Model& model, double dt, const std::vector<std::string>& fitted,
    const std::vector<std::string>& names, Diagnostics& diagnostics);

}  // namespace somafit
