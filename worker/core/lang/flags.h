#pragma once

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Reports flags that are unknown, stand on the wrong kind of definition
// (E_FLAG; language, section 1.8), or are not available yet.
void CheckFlags(const Definition& definition, const Source& source,
                Diagnostics& diagnostics);

}  // namespace somafit
