#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

// How a dataset is wired to a model (language, section 5.1).

// Gives the dataset's inputs, and the targets of `outputs` that the model is
// coupled to, a name in `symbols` and a place in `model`. `used`: all names in
// the model's formulas. Reports inputs that are defined or not used (E_INPUT).
void WireInputs(const std::vector<Channel>& inputs,
                const std::vector<Channel>& outputs,
                const std::unordered_set<std::string>& used,
                SymbolTable& symbols, Model& model, Diagnostics& diagnostics);

// Reports outputs that are no variable of the model, or of another dimension.
void CheckOutputs(const std::vector<Channel>& outputs,
                  const SymbolTable& symbols, const Source& equations,
                  bool has_threshold, Diagnostics& diagnostics);

}  // namespace somafit
