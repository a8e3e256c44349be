#pragma once

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Limits of what is read; beyond them there is an error, not a crash.
inline constexpr size_t kMaxSourceBytes = 256 * 1024;
inline constexpr int kMaxNesting = 200;
inline constexpr size_t kMaxNodes = 100'000;
inline constexpr size_t kMaxDefinitions = 2000;

// Parsing never fails: it returns what it understood and says the rest. After a
// mistake it goes on with the next definition, so that all are reported.
EquationBlock ParseEquations(const Source& source, Diagnostics& diagnostics);

// A single expression that is the whole of the text.
Expression ParseExpression(const Source& source, Diagnostics& diagnostics);

}  // namespace somafit
