#pragma once

#include <string>

#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

enum class CodeKind { kReset, kPeriodic };

// Checks statements that have been parsed, one after the other (language,
// section 1.7): what may be written, dimensions, types, and what temporaries
// are. Reports all independent mistakes.
void CheckCode(CodeKind kind, SymbolTable& symbols, Code& code,
               Diagnostics& diagnostics);

}  // namespace somafit
