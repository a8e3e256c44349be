#pragma once

#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// The canonical name of an integration method; "" (none given) stays "".
// Reports E_METHOD for one that is unknown or not available yet.
std::string ReadMethod(const std::string& text, Diagnostics& diagnostics);

// Reports options that `method` does not have (E_OPTION).
void CheckMethodOptions(const std::vector<NamedText>& options,
                        const std::string& method, Diagnostics& diagnostics);

}  // namespace somafit
