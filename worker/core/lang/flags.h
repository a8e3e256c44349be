#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Reports flags that are unknown or stand on the wrong kind of definition
// (E_FLAG; language, section 1.8), or have no effect. `refractory`: the model
// has a refractory period.
void CheckFlags(const Definition& definition, bool refractory,
                const Source& source, Diagnostics& diagnostics);
// Reports what a shared subexpression uses that is not shared (E_SHARED): one
// value for all lanes can come from such values only. `is_shared`: of a name.
void CheckShared(const Definition& definition,
                 const std::function<bool(const std::string&)>& is_shared,
                 const Source& source, Diagnostics& diagnostics);
// Reports random numbers in a subexpression whose value is not kept over a step
// (E_STATEFUL): each of its uses would see others.
void CheckStateful(const Definition& definition, const Source& source,
                   Diagnostics& diagnostics);
bool HasFlag(const Definition& definition, std::string_view flag);

}  // namespace somafit
