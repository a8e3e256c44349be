#pragma once

#include <string_view>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Reports flags that are unknown or stand on the wrong kind of definition
// (E_FLAG; language, section 1.8), or have no effect.
void CheckFlags(const Definition& definition, const Source& source,
                Diagnostics& diagnostics);
bool HasFlag(const Definition& definition, std::string_view flag);

}  // namespace somafit
