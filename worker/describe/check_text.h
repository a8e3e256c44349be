#pragma once

#include <string>

#include "worker/describe/compile_outline.h"

namespace somafit {

// What `somafit check` prints: tables for people of everything that the model
// is made of, each with its unit and its definition as written; constants and
// bounds in SI; the time step; the recordings; the method and why it applies;
// `warnings`.
std::string CheckText(const CompiledOutline& compiled,
                      const Diagnostics& warnings);

}  // namespace somafit
