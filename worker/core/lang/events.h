#pragma once

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

// Threshold, reset and refractoriness (language, sections 4.3 and 4.4).

// Whether a text asks for refractoriness: "", "False" and "false" do not.
bool AsksForRefractoriness(const std::string& refractory);

// Reads the texts into `model`, unchecked. Of refractoriness there is as much
// as whether there is any: its form is to be checked.
void ParseEvents(const ModelSource& source, Model& model,
                 Diagnostics& diagnostics);

// Checks what ParseEvents has read, once `symbols` has every variable.
void CheckEvents(const ModelSource& source, SymbolTable& symbols, Model& model,
                 Diagnostics& diagnostics);

}  // namespace somafit
