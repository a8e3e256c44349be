#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Reports flags that are unknown or stand on the wrong kind of definition
// (E_FLAG; language, section 1.8), or have no effect.
void CheckFlags(const Definition& definition, const Source& source,
                Diagnostics& diagnostics);
// Reports what a shared subexpression uses that is not shared (E_SHARED): one
// value for all lanes can come from such values only. `is_shared`: of a
// variable by name; nullopt for other names.
void CheckShared(
    const Definition& definition,
    const std::function<std::optional<bool>(const std::string&)>& is_shared,
    const Source& source, Diagnostics& diagnostics);
bool HasFlag(const Definition& definition, std::string_view flag);

}  // namespace somafit
