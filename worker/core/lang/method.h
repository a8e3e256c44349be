#pragma once

#include <string>

#include "worker/core/lang/diagnostic.h"

namespace somafit {

// The canonical name of an integration method; "" (none given) stays "".
// Reports E_METHOD for one that is unknown or not available yet.
std::string ReadMethod(const std::string& text, Diagnostics& diagnostics);

}  // namespace somafit
