#pragma once

#include <cstdint>
#include <optional>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/units/dimension.h"

namespace somafit {

// What the text after a definition's colon says.
struct DefinitionUnit {
  ValueType type = ValueType::kFloat;
  Dimension dimension;
};

// Reads it (language, section 1.9); nullopt after an E_UNITSPEC, and, without
// a word, where the parser already refused the unit.
std::optional<DefinitionUnit> ReadDefinitionUnit(const Source& source,
                                                 const Definition& definition,
                                                 Diagnostics& diagnostics);

}  // namespace somafit
