#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

// Of one array.
inline constexpr size_t kMaxTimedArrayValues = 16'000'000;

// Reads them into `model`, values in SI, and names them in `symbols`, those
// with a mistake too. They must not have the name of anything that is there
// already. `outputs`: see ReasonReserved.
void ReadTimedArrays(const std::vector<TimedArraySpec>& specs,
                     const std::vector<std::string>& outputs,
                     SymbolTable& symbols, Model& model,
                     Diagnostics& diagnostics);

}  // namespace somafit
