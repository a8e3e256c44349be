#pragma once

#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

// Reads the values that states and variables begin with into `model`, whose
// lists must be complete (language, section 4.6).
void ReadInitialValues(const std::vector<NamedText>& texts,
                       SymbolTable& symbols, Model& model,
                       Diagnostics& diagnostics);

}  // namespace somafit
